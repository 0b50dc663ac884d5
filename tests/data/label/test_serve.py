"""The address of the labelling page: a token beside the labels, whole or not there."""

from pathlib import Path

import pytest

from calm.errors import CalmError, UsageError
from data.label.serve import kept_token
from tests.support.small_disk import mounted


def test_a_token_is_made_once(tmp_path: Path) -> None:
    labels = tmp_path / "labels.sqlite"
    token = kept_token(labels)
    assert kept_token(labels) == token
    assert len(token) == 32
    assert (tmp_path / "labels.sqlite.token").stat().st_mode & 0o777 == 0o600


def test_what_is_no_token_is_refused(tmp_path: Path) -> None:
    (tmp_path / "labels.sqlite.token").write_text("short")
    with pytest.raises(UsageError, match="not a token; remove it"):
        kept_token(tmp_path / "labels.sqlite")


def test_a_full_disk_leaves_no_empty_token(tmp_path: Path) -> None:
    """An empty file would be refused as no token at the next start, with room again."""
    with mounted(tmp_path / "small", "size=64k") as folder:
        filler = folder / "filler"
        with pytest.raises(OSError, match="No space left"):
            filler.write_bytes(bytes(1 << 17))
        with pytest.raises(CalmError, match="the disk is full"):
            kept_token(folder / "labels.sqlite")
        filler.unlink()
        assert len(kept_token(folder / "labels.sqlite")) == 32
