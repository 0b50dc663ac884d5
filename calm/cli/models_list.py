"""`calm models list`: the models that are here, and those known by name."""

from __future__ import annotations

import json
import sys
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from calm.cli.options import Json
from calm.text import clean


def models_list(as_json: Json = False) -> None:
    """List the models of the table and whatever else was pulled: licence, size, where it is.

    Any other model is named by its file (.gguf), or by the hub's owner/repository:file.
    """
    rows = model_rows()
    if as_json:
        sys.stdout.write(json.dumps({"models": rows}, indent=2) + "\n")
        return
    table = Table(box=None)
    for name in ("--judge", "here", "MB", "licence", "what it is"):
        table.add_column(name, no_wrap=name != "what it is")
    for row in rows:
        here, size = "yes" if row["path"] else "no", f"{row['size'] / 1e6:,.0f}"
        title = row["problem"] or row["title"]
        if row["best"] and not row["problem"]:
            title += f"; judges best with {row['best']}"
        cells = (f"local:{row['name']}", here, size, row["licence"] or "not said", title)
        table.add_row(*(Text(clean(cell)) for cell in cells))
    console = Console(highlight=False)
    console.print(table)
    from calm.local.weights import models_folder

    console.print(Text(f"kept in {models_folder()}; calm models pull NAME fetches"), soft_wrap=True)


def model_rows() -> list[dict[str, Any]]:
    """Returns one row for each model: name, title, licence, size (bytes), sha256, path, problem.

    And, as `best`, the options with which it was measured to judge best; "" where it was not.
    """
    from calm.errors import UsageError
    from calm.local.registry import MODELS
    from calm.local.weights import kept_files, weights_at

    rows = {
        m.name: {
            "name": m.name, "title": m.title, "licence": m.licence, "size": m.size,
            "sha256": m.sha256, "path": "", "problem": "",
            "best": m.best.options if m.best is not None else "",
        }
        for m in MODELS
    }  # fmt: skip
    for path in kept_files():
        row = {"name": path.name, "title": "", "licence": "", "size": path.stat().st_size,
               "sha256": "", "path": str(path), "problem": "", "best": ""}  # fmt: skip
        known = rows.get(path.stem)
        try:
            weights = weights_at(path)
            row |= {"title": weights.header.name, "licence": weights.licence}
            row["sha256"] = weights.sha256
            if known is not None and known["sha256"] != weights.sha256:
                row["problem"] = "not the weights of this name; remove and pull it again"
            elif not weights.header.chat_template:
                row["problem"] = "a base model without chat template: it can't judge"
        except UsageError as error:
            row["problem"] = str(error)
        rows[path.stem if known else path.name] = (known or row) | {
            "path": row["path"], "problem": row["problem"],
        }  # fmt: skip
    return list(rows.values())
