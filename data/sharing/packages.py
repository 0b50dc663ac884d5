"""Makes packages of a labelled set or a store's answers for the hub; checks those pulled."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from calm.errors import UsageError
from calm.files import write_folder
from calm.hub.package import CARD, FILE, Package, describe_folder, read_description
from calm.store.store import Store
from data.dataset import (
    MANIFEST,
    Dataset,
    describe,
    load,
    locate,
    read_manifest,
    write_manifest,
    write_part,
)
from data.parquet import read_transitions
from data.sharing.card import TAGS, UNKNOWN, card, markdown_table, size_category
from data.sharing.datasets_folder import fill_folder
from data.store_export import export_store, import_store


def write_set_package(spec: str | Path, folder: Path, licence: str = "") -> Package:
    """Writes the package of a labelled set into a new folder.

    It holds the set as calm reads it (manifest and parts) and once more as tables that the hub
    shows and `datasets` loads.

    Args:
        spec: name of a set, its folder, or a parquet file of transitions.
        licence: the hub's id of it; "" for the set's own.

    Raises:
        UsageError: no such set, nothing in it, or the folder is there already.
    """
    if folder.exists():
        raise UsageError(f"{folder} is there already; name a new folder")
    dataset = load(spec)

    def fill(partial: Path) -> None:
        about = fill_folder(spec, dataset, partial, licence)
        _, files = locate(spec)
        manifest = next(iter(files.values())).parent / MANIFEST
        if "" in files or not manifest.is_file():
            _write_as_set(dataset, partial, about["licence"])
        else:
            shutil.copyfile(manifest, partial / MANIFEST)
            for path in files.values():
                shutil.copyfile(path, partial / path.name)
        rows = sum(about["parts"].values())
        describe_folder(partial, "set", dataset.name, about | {"transitions": rows})

    write_folder(folder, fill)
    return read_description((folder / FILE).read_text("utf-8"), str(folder))


def _write_as_set(dataset: Dataset, folder: Path, licence: str) -> None:
    """Writes a file of transitions as a set of one part."""
    (part,) = dataset.parts.values()
    entry = write_part(folder, "all", part.rows, part.tasks)
    write_manifest(folder, dataset.name, {"all": entry}, {"licence": licence})


def check_set(folder: Path) -> None:
    """Raises a UsageError where a set can't be read, or is not what its manifest says it holds."""
    for name, entry in read_manifest(folder)["parts"].items():
        part = read_transitions(folder / entry["file"])
        for key, value in describe(part).items():
            if entry.get(key) != value:
                raise UsageError(f"{name}: {key} is {value}, the manifest says {entry.get(key)}")


def write_store_package(path: Path, folder: Path, licence: str = "") -> Package:
    """Writes the package of a store's answers into a new folder, as `calm store export` does.

    Args:
        path: the store.
        licence: the hub's id of it; "" where nobody has told.

    Raises:
        UsageError: no such store, no answers in it, or the folder is there already.
    """
    if folder.exists():
        raise UsageError(f"{folder} is there already; name a new folder")
    if not path.is_file():
        raise UsageError(f"no store at {path}")

    def fill(partial: Path) -> None:
        with Store(path, readonly=True) as store:
            manifest = export_store(store, partial)
        about = what_answers_tell(partial) | {"prompts": manifest["prompts"]}
        if not about["answers"]:
            raise UsageError(f"{path} holds no answers")
        (partial / CARD).write_text(_store_card(path.stem, about, licence), "utf-8")
        describe_folder(partial, "store", path.stem, about)

    write_folder(folder, fill)
    return read_description((folder / FILE).read_text("utf-8"), str(folder))


def what_answers_tell(folder: Path) -> dict[str, Any]:
    """Returns what an export of a store tells whoever reads it.

    Returns:
        `answers`: how many; `texts`: distinct ones that were asked about; `models`, `tasks`,
        `endpoints`: answers by each; `verdicts`: answers by class.
    """
    columns = ["text", "model", "task", "endpoint", "verdict"]
    table = pq.read_table(folder / "answers.parquet", columns=columns)
    counts = {name: Counter(table.column(name).to_pylist()) for name in columns}
    return {
        "answers": len(table),
        "texts": len(counts["text"]),
        "models": dict(counts["model"].most_common()),
        "tasks": dict(counts["task"].most_common()),
        "endpoints": dict(counts["endpoint"].most_common()),
        "verdicts": dict(counts["verdict"].most_common()),
    }


def check_store(folder: Path) -> None:
    """Raises a UsageError where an export can't be imported: nothing is left of the trial."""
    with Store() as scratch:
        import_store(folder, scratch)


def _store_card(name: str, about: dict[str, Any], licence: str) -> str:
    header = {
        "license": licence or UNKNOWN,
        "pretty_name": name,
        "language": ["en"],
        "tags": list(TAGS),
        "size_categories": [size_category(about["answers"])],
        "configs": [
            {
                "config_name": "answers",
                "default": True,
                "data_files": [{"split": "train", "path": "answers.parquet"}],
            }
        ],
    }
    by_model = [(model, f"{count:,}") for model, count in about["models"].items()]
    by_task = [(task, f"{count:,}") for task, count in about["tasks"].items()]
    by_class = [(verdict, f"{count:,}") for verdict, count in about["verdicts"].items()]
    return card(
        header,
        (
            f"# {name}",
            f"{about['answers']:,} answers of language models about {about['texts']:,} texts,"
            " each with the raw reply that it came in, tokens, time, cost, and the address that"
            " was asked.",
            "```console\n$ calm hub pull OWNER/NAME --out FOLDER\n"
            "$ calm store import FOLDER --store S.sqlite\n"
            "$ calm evaluate --judge replay:MODEL --store S.sqlite\n```",
            "## Answers by model",
            markdown_table(("model", "answers"), by_model),
            "## By task",
            markdown_table(("task", "answers"), by_task),
            "## By class",
            "What can't be read is a class of its own and never a no.",
            markdown_table(("class", "answers"), by_class),
        ),
    )
