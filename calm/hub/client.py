"""Fetches files from the Hugging Face hub and commits to it: the one file that knows its client.

HF_ENDPOINT names another hub than huggingface.co, HF_TOKEN the right to write or to read what is
private.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, cast

from calm.errors import CalmError, UsageError
from calm.hub.progress import Progress, WatchedFile

INSTALL = "pip install 'calm-credit[hub]'"
"""What brings the hub's client."""
RepoType = Literal["model", "dataset"]
"""The hub's two namespaces; a model and a dataset may have the same name."""


class NotOnHub(UsageError):
    """There is no such repository or file, or it may not be read."""


@dataclass(frozen=True)
class HubFile:
    """A file as the hub describes it."""

    url: str
    size: int
    """Bytes."""
    version: str
    """Changes when the file does; its sha256 where the hub keeps it as a large file."""
    commit: str = ""
    """Of the repository as it was described; 40 hex digits."""

    @property
    def sha256(self) -> str:
        """Returns it in hexadecimal; empty if the hub doesn't tell."""
        return self.version if len(self.version) == 64 else ""


def describe(
    repository: str, name: str, repo_type: RepoType = "model", commit: str | None = None
) -> HubFile:
    """Asks the hub about a file, and returns what it says.

    Args:
        commit: as it was at this one; None for the present state.

    Raises:
        NotOnHub: there is none. UsageError: it may not be read. CalmError: the hub can't be
            reached, or its client is not installed.
    """
    spec = f"{repository}:{name}"
    with _explained(spec, "pull it elsewhere and name the file"):
        from huggingface_hub import get_hf_file_metadata, hf_hub_url

        url = hf_hub_url(
            repository, name, repo_type=repo_type, revision=commit, endpoint=_endpoint()
        )
        metadata = get_hf_file_metadata(url)
    if metadata.size is None:
        raise CalmError(f"the hub does not say how large {spec} is; fetch it by other means")
    return HubFile(url, metadata.size, metadata.etag or "", metadata.commit_hash or "")


def _endpoint() -> str | None:
    """Returns the address of the hub as the environment names it now; None for its own."""
    return os.environ.get("HF_ENDPOINT")


@contextmanager
def _explained(spec: str, way_out: str) -> Iterator[None]:
    """Turns the client's errors within into ours; `spec` is what is asked for.

    Args:
        way_out: what can be done where the hub can't be reached.
    """
    try:
        from huggingface_hub import errors as hub_errors
    except ModuleNotFoundError:
        raise UsageError(f"the hub's client huggingface_hub is not installed: {INSTALL}") from None
    try:
        yield
    except CalmError:
        raise
    except hub_errors.GatedRepoError:
        raise UsageError(
            f"{spec}: its makers ask for consent first; give it on the hub's page of"
            f" {spec.partition(':')[0]}, then set HF_TOKEN"
        ) from None
    except (hub_errors.RepositoryNotFoundError, hub_errors.EntryNotFoundError):
        raise NotOnHub(
            f"the hub has no {spec}, or not for you; a private one needs HF_TOKEN"
        ) from None
    except hub_errors.HFValidationError as error:
        raise UsageError(f"{spec} is no name on the hub: {error}") from None
    except hub_errors.HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else 0
        if status in (401, 403):
            raise UsageError(
                f"the hub refuses {spec} ({status}): HF_TOKEN is not valid, or has no right to it"
            ) from None
        raise CalmError(f"the hub has failed on {spec}: {error}. Try again later") from None
    except Exception as error:  # the client's HTTP library has errors of its own
        cause = error.__cause__ if isinstance(error, RuntimeError) else None  # of an upload
        first = cause or error
        raise CalmError(
            f"can't reach the Hugging Face hub for {spec}: {type(first).__name__}: {first}."
            f" Check the network (HF_ENDPOINT names another address), or {way_out}"
        ) from None


def commit(
    repository: str,
    repo_type: RepoType,
    folder: Path,
    names: Sequence[str],
    message: str,
    *,
    public: bool = False,
) -> str:
    """Commits files of a folder to a repository, all of them or none; makes it if there is none.

    What a commit that was interrupted had uploaded by then is not uploaded again.

    Args:
        names: of the files, below the folder; slashes make folders.
        public: whether everyone may read it; a repository that is there already must be so.

    Returns:
        The commit's address.

    Raises:
        UsageError: no token, one that has no right, or a public repository where a private one is
            meant. CalmError: the hub can't be reached or has failed.
    """
    with _explained(repository, "push it from elsewhere"):
        from huggingface_hub import CommitOperationAdd, HfApi, get_token
        from huggingface_hub.utils import disable_progress_bars  # type: ignore[attr-defined]

        if not sys.stderr.isatty():
            disable_progress_bars()
        if get_token() is None:
            raise UsageError(
                f"a push to {repository} needs a token with the right to write: set HF_TOKEN (the"
                " hub's settings make one), or run `hf auth login`"
            )
        hub = HfApi(endpoint=_endpoint())
        hub.create_repo(repository, repo_type=repo_type, private=not public, exist_ok=True)
        if not public and not hub.repo_info(repository, repo_type=repo_type).private:
            raise UsageError(
                f"{repository} is there already and public; name --public if everyone may read what"
                " is pushed, or another name"
            )
        with warnings.catch_warnings():
            # An agent's repository is of the type `model` and holds its curves as parquet.
            warnings.filterwarnings("ignore", message="It seems that you are about to commit")
            warnings.simplefilter(
                "ignore", DeprecationWarning
            )  # the client's with its HTTP library
            done = hub.create_commit(
                repository,
                [CommitOperationAdd(name, str(folder / name)) for name in names],
                commit_message=message,
                repo_type=repo_type,
            )
    return str(done.commit_url)


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
    if not file.size:
        part.touch()  # there is nothing to ask for
        return
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
