"""One process at a time; tested with two that pull the same in tests/calm/local/test_pull.py."""

from pathlib import Path

from calm.hub.alone import alone


def test_a_folder_is_made_and_kept_only_where_something_has_come(tmp_path: Path) -> None:
    lines: list[str] = []
    for content in ("", "something"):
        with alone(tmp_path / "part", lines.append):
            assert (tmp_path / "part").is_dir()
            if content:
                (tmp_path / "part" / "file").write_text(content)
        assert (tmp_path / "part").exists() == bool(content)
    assert lines == []
