"""Checks that everything a run needs works here, and says what to do where it doesn't."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path


@dataclass(frozen=True)
class Finding:
    """One check's outcome."""

    name: str
    """Of what was checked."""
    good: bool
    """Whether it works."""
    detail: str
    """What was found: a version, a path, an error."""
    remedy: str = ""
    """What to do, where it is not good."""


PACKAGES: dict[str, str] = {
    "openai": "openai",
    "nle": "nle",
    "minihack": "minihack",
    "gymnasium": "gymnasium",
    "torch": "torch",
    "stable-baselines3": "stable_baselines3",
    "pyarrow": "pyarrow",
}


def examine(base_url: str | None = None, store: Path | None = None) -> Iterator[Finding]:
    """Yields a finding for each check, as it is made.

    Args:
        base_url: an OpenAI-compatible endpoint to reach; `OPENAI_BASE_URL` by default.
        store: the store to open; by default only a new one in a temporary folder is tried.
    """
    yield _python()
    for package, module in PACKAGES.items():
        yield _guarded(package, partial(_import, module, package), _install_hint(package))
    yield _guarded("game", _play, "reinstall with `make demo`, or see nle's page for your platform")
    remedy = "check the disk's space and permissions"
    if store is not None:
        remedy = "name a store that is there and whole, or leave --store out"
    yield _guarded("store", lambda: _write_store(store), remedy)
    url = base_url or os.environ.get("OPENAI_BASE_URL")
    if url or os.environ.get("OPENAI_API_KEY"):
        yield _guarded(
            "endpoint",
            lambda: _reach(url),
            "check the address (it usually ends in /v1), that the server runs, and OPENAI_API_KEY",
        )
    else:
        yield Finding("endpoint", True, "none set; the judges `rules` and `local:` need none")
    yield _guarded(
        "local models",
        local_models,
        "free memory for one that does not fit; remove what can't be asked with"
        " `calm models remove NAME`, and pull another",
    )


def _python() -> Finding:
    """Checks the interpreter's version."""
    running = ".".join(map(str, sys.version_info[:3]))
    good = (3, 11) <= sys.version_info[:2] <= (3, 13)
    return Finding(
        "python", good, running, "use Python 3.11, 3.12 or 3.13: nle has wheels for those"
    )


def _guarded(name: str, check: Callable[[], str], remedy: str) -> Finding:
    """Makes a check; whatever it raises is its finding, with the remedy."""
    try:
        return Finding(name, True, check())
    except Exception as error:  # a doctor reports whatever is wrong
        return Finding(name, False, f"{type(error).__name__}: {error}", remedy)


def _install_hint(package: str) -> str:
    """Returns the command that installs a package."""
    if package == "minihack":
        return "pip install 'setuptools>=77.0.3,<82': minihack 1.0.2 imports pkg_resources"
    return "pip install -c constraints.txt -e '.[agents]'"


def _import(module: str, package: str) -> str:
    """Imports a module; returns its package's version."""
    import_module(module)
    return version(package)


def _play() -> str:
    """Compiles and steps a level; returns what was done."""
    from envs import make_vec

    env = make_vec("MiniHack-KeyRoom-S5-v0", 1, kind="gym", seed=0)
    try:
        env.reset()
        for action in (0, 1, 2, 3):
            env.step([action])
    finally:
        env.close()
    return "compiled a level of KeyRoom-S5 and stepped it"


def _write_store(path: Path | None) -> str:
    """Opens a store, or writes a new one; returns what was found."""
    from calm.store.store import Store

    if path is not None:
        with Store.existing(path) as opened:
            idle = [f"“{name}” of {task} ({n} answers)" for task, _, name, n in opened.never_met()]
        return f"{path} opens" + ("; never met: " + ", ".join(idle) if idle else "")
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "store.sqlite"):
        return "a new one can be written"


def _reach(url: str | None) -> str:
    """Lists an endpoint's models; returns how many there are."""
    from calm.asking.probe import list_models

    models = list_models(url)
    return f"{url or 'the default endpoint'} answers; it offers {len(models)} models"


def local_models() -> str:
    """Returns in words which models `local:` can ask here and how, or what that needs.

    Raises:
        UsageError: some can't be asked; says why of each, after those that can.
    """
    from calm.cli.models_list import model_rows
    from calm.errors import CalmError, UsageError
    from calm.judges.local import SERVING
    from calm.local.weights import INSTALL

    if find_spec(SERVING) is None:
        return f"none: {SERVING} is not installed, which `--judge local:` needs: {INSTALL}"
    models, problems = [], []
    for row in model_rows():
        if not row["path"]:
            continue
        try:
            if row["problem"]:
                raise UsageError(row["problem"])
            models.append(f"{row['name']} ({_served(Path(row['path']))})")
        except CalmError as error:
            problems.append(f"{row['name']}: {error}")
    where = f"{SERVING} {version(SERVING)}"
    if find_spec("huggingface_hub") is None:
        where += f" (no huggingface_hub, so nothing is pulled from the hub: {INSTALL})"
    if not models and not problems:
        return f"{where}; none pulled: `calm models list` shows small ones"
    if problems:
        raise UsageError("; ".join([where, *models, *problems]))
    return f"{where}; {', '.join(models)}"


def _served(path: Path) -> str:
    """Returns in words how a file of weights would be served and is best asked.

    Raises:
        UsageError: it can't be asked, or does not fit into memory.
    """
    from calm.judges.local import best_form, check_can_judge
    from calm.local.machine import choose_settings
    from calm.local.weights import weights_at

    weights = weights_at(path)
    check_can_judge(weights)
    settings = choose_settings(weights.header)
    best = best_form(f"local:{path}")
    asked = f", judges best with {best.options}" if best is not None else ""
    return f"{weights.header.size / 1e6:,.0f} MB, {settings.slots} slots{asked}"
