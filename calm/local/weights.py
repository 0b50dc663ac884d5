"""The weights on this machine: where they are kept, and which file a name means.

    MODELS/NAME.gguf           of the table (`calm.local.registry`)
    MODELS/OWNER--REPO--FILE   from the Hugging Face hub
    MODELS/.known.json         hash and header of every file used, so that each is read once
    MODELS/.pull/              what is being pulled

MODELS is `$CALM_MODELS`, or `models` in calm's cache folder.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from calm.errors import CalmError, UsageError, unknown
from calm.files import sha256_of, write_file
from calm.local.gguf import Header, read_header
from calm.local.registry import MODELS, known_model, known_weights

INSTALL = "pip install 'calm-credit[local]'"
"""What brings the server of weights, and the client of the hub."""
_HUB = re.compile(r"[\w.-]+/[\w.-]+:[\w./-]+", re.ASCII)

Notify = Callable[[str], None]
"""Shows a line on what is being done; called by whatever takes more than a moment."""


@dataclass(frozen=True)
class Weights:
    """A file of weights, named by its content."""

    path: Path
    sha256: str
    header: Header

    @property
    def name(self) -> str:
        """Returns a short name that follows from the content alone, like `qwen2.5-coder-1.5b`."""
        if (known := known_weights(self.sha256)) is not None:
            return known.name
        return re.sub(r"[^a-z0-9.]+", "-", self.header.name.lower()).strip("-") or "model"

    @property
    def id(self) -> str:
        """Returns name and hash: `qwen2.5-coder-1.5b@cc324af070c2`. Each quantisation differs."""
        return f"{self.name}@{self.sha256[:12]}"

    @property
    def licence(self) -> str:
        """Returns the licence as the table or the file says it."""
        known = known_weights(self.sha256)
        return known.licence if known is not None else self.header.licence


def models_folder() -> Path:
    """Returns where weights are kept: `$CALM_MODELS`, or `models` in `$XDG_CACHE_HOME/calm`."""
    if named := os.environ.get("CALM_MODELS"):
        return Path(named).expanduser()
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "calm" / "models"


def is_hub_name(spec: str) -> bool:
    """Says whether a name is a hub's `owner/repository:file`."""
    return _HUB.fullmatch(spec) is not None


def pulled_path(spec: str) -> Path:
    """Returns where the weights of a name of the table, or of a hub's file, are kept once pulled.

    Raises:
        UsageError: it is neither.
    """
    if (known := known_model(spec)) is not None:
        return models_folder() / f"{known.name}.gguf"
    if is_hub_name(spec):
        return models_folder() / re.sub(r"[/:]", "--", spec)
    raise unknown("model", spec, [m.name for m in MODELS])


def find_path(spec: str) -> Path:
    """Finds the file that a name means: a path, a name of the table, or a hub's `repository:file`.

    Raises:
        UsageError: there is none, or it is not here yet.
    """
    if known_model(spec) is None and not is_hub_name(spec):
        # Kept under its own name, or anywhere.
        pulled = models_folder() / spec
        if "/" not in spec and pulled.is_file():
            return pulled
        if spec.endswith(".gguf") or "/" in spec or Path(spec).exists():
            path = Path(spec).expanduser()
            if not path.is_file():
                raise UsageError(f"there is no file of weights {path}")
            return path
        raise UsageError(
            f"{unknown('model', spec, [m.name for m in MODELS])}; or name a file (.gguf), or"
            " `owner/repository:file` of the Hugging Face hub"
        )
    path = pulled_path(spec)
    if not path.is_file():
        known = known_model(spec)
        size = f" ({known.size / 1e6:,.0f} MB, {known.licence})" if known is not None else ""
        raise UsageError(f"{spec} is not on this machine: run `calm models pull {spec}`{size}")
    return path


def find_weights(spec: str, tell: Notify = lambda line: None) -> Weights:
    """Returns the weights that a name means, as `find_path` finds them, with hash and header.

    Raises:
        UsageError: there are none, or the file is no GGUF.
    """
    return weights_at(find_path(spec), tell)


def weights_at(path: Path, tell: Notify = lambda line: None) -> Weights:
    """Returns a file of weights with hash and header; both are remembered until the file changes.

    Raises:
        UsageError: it is no GGUF file.
    """
    path = path.resolve()
    try:
        status = path.stat()
    except OSError as error:
        raise UsageError(f"can't read the weights in {path}: {error.strerror}") from None
    stamp = [status.st_size, status.st_mtime_ns, status.st_ino]
    memory = _remembered()
    entry = memory.get(str(path))
    if isinstance(entry, dict) and entry.get("stamp") == stamp:
        try:
            return Weights(path, str(entry["sha256"]), Header(**entry["header"]))
        except (KeyError, TypeError):
            pass  # of another version
    header = read_header(path)
    if status.st_size > 200e6:
        tell(f"reading {path.name} for its checksum")
    weights = Weights(path, sha256_of(path), header)
    entry = {"stamp": stamp, "sha256": weights.sha256, "header": asdict(header)}
    _remember(_remembered() | {str(path): entry})
    return weights


def kept_files() -> list[Path]:
    """Returns the files of weights in the models folder, by name."""
    folder = models_folder()
    return sorted(folder.glob("*.gguf")) if folder.is_dir() else []


def _memory() -> Path:
    return models_folder() / ".known.json"


def _remembered() -> dict[str, Any]:
    try:
        value = json.loads(_memory().read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _remember(entries: dict[str, Any]) -> None:
    """Keeps what is known; if it can't be kept, the file is read once more next time."""
    there = {path: entry for path, entry in entries.items() if Path(path).is_file()}
    with suppress(CalmError):  # a full disk, a folder that can't be written
        write_file(_memory(), json.dumps(there))
