"""Fetches one file from the Hugging Face hub: the one file that knows its client."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from calm.errors import CalmError, UsageError
from calm.local.progress import Progress, WatchedFile
from calm.local.weights import INSTALL


@dataclass(frozen=True)
class HubFile:
    """A file as the hub describes it."""

    url: str
    size: int
    """Bytes."""
    version: str
    """Changes when the file does; its sha256 where the hub keeps it as a large file."""

    @property
    def sha256(self) -> str:
        """Returns it in hexadecimal; empty if the hub doesn't tell."""
        return self.version if len(self.version) == 64 else ""


def describe(repository: str, name: str) -> HubFile:
    """Asks the hub about a file, and returns what it says.

    Raises:
        UsageError: there is none, or it may not be read. CalmError: the hub can't be reached, or
            its client is not installed.
    """
    try:
        from huggingface_hub import errors as hub_errors
        from huggingface_hub import get_hf_file_metadata, hf_hub_url
    except ModuleNotFoundError:
        raise UsageError(f"the hub's client huggingface_hub is not installed: {INSTALL}") from None
    spec = f"{repository}:{name}"
    try:
        url = hf_hub_url(repository, name, endpoint=os.environ.get("HF_ENDPOINT"))
        metadata = get_hf_file_metadata(url)
    except hub_errors.GatedRepoError:
        raise UsageError(
            f"{spec}: its makers ask for consent first; give it on the hub's page of"
            f" {repository}, then set HF_TOKEN"
        ) from None
    except (hub_errors.RepositoryNotFoundError, hub_errors.EntryNotFoundError):
        raise UsageError(
            f"the hub has no {spec}, or not for you; a private one needs HF_TOKEN"
        ) from None
    except hub_errors.HFValidationError as error:
        raise UsageError(f"{spec} is no name on the hub: {error}") from None
    except Exception as error:  # the client's HTTP library has errors of its own
        raise CalmError(
            f"can't reach the Hugging Face hub for {spec}: {type(error).__name__}: {error}."
            " Check the network (HF_ENDPOINT names another address), or pull it elsewhere and"
            " name the file"
        ) from None
    if not metadata.size:
        raise CalmError(f"the hub does not say how large {spec} is; fetch it by other means")
    return HubFile(url, metadata.size, metadata.etag or "")


def fetch(file: HubFile, part: Path, progress: Progress) -> None:
    """Downloads a file to `part`, from where it ends on; what has come stays whatever happens.

    Raises:
        CalmError: the connection failed, and the last try brought nothing. OSError: no place to
            write.
    """
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import (  # type: ignore[attr-defined]
        build_hf_headers,
        disable_progress_bars,
    )

    disable_progress_bars()  # ours tells the same
    while True:
        done = part.stat().st_size if part.exists() else 0
        if done > file.size:
            part.unlink()
            done = 0
        with part.open("ab") as out:
            watched = WatchedFile(out, done, file.size, progress)
            try:
                http_get(
                    file.url,
                    cast(BinaryIO, watched),
                    resume_size=done,
                    headers=build_hf_headers(),
                    expected_size=file.size,
                )
                return
            except Exception as error:  # the client's HTTP library has errors of its own
                if isinstance(error, OSError) and error.errno is not None:
                    raise
                if watched.done <= done:  # else it was worth another try
                    raise CalmError(
                        f"the download broke off after {done:,} of {file.size:,} bytes:"
                        f" {type(error).__name__}: {error}. The same command resumes there"
                    ) from None
