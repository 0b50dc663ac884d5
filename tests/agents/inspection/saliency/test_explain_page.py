"""What is drawn is found again; what is half drawn or damaged is not taken for it."""

import io
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from agents.inspection.saliency.explain_page import (
    HOW,
    PageTable,
    drawn,
    image,
    time_image,
    write_page,
)
from calm import files
from calm.errors import UsageError

TABLE = PageTable("by stage", ["furthest", "doors"], [["<i>key</i>", "0.50"]])


def draw(run: Path, *names: str) -> Path:
    picture = image(None, np.eye(3), "a & b")
    write_page(run, ["<b>so</b>"], dict.fromkeys(names or ("a",), picture), [TABLE])
    return run / "explain"


def test_what_is_drawn_is_found(tmp_path: Path) -> None:
    assert drawn(tmp_path) is None
    draw(tmp_path)
    found = drawn(tmp_path)
    assert found is not None
    assert found.lines == ["<b>so</b>", HOW]
    assert found.images.count("data:image/png;base64,") == 1
    assert found.tables == [TABLE]
    page = (tmp_path / "explain.html").read_text("utf-8")
    assert "&lt;b&gt;so" in page
    assert "<td>&lt;i&gt;key&lt;/i&gt;</td><td>0.50</td>" in page
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in page
    assert "prefers-color-scheme: dark" in page


def test_drawings_have_no_ground_of_their_own_so_that_a_dark_page_stays_dark() -> None:
    for png in (image(None, np.eye(3), "a"), time_image(np.array([0.1, 0.9]))):
        drawing = imread(io.BytesIO(png))  # (H, W, 4), the last is opacity
        assert drawing[0, 0, 3] == 0
        assert drawing[..., 3].max() == 1


def test_drawn_anew_older_drawings_are_gone(tmp_path: Path) -> None:
    draw(tmp_path, "a", "b")
    out = draw(tmp_path, "b", "c")
    assert sorted(path.name for path in out.iterdir()) == ["b.png", "c.png", "summary.json"]


def test_stopped_while_drawing_anew_the_older_drawings_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw(tmp_path, "a", "b")
    before = drawn(tmp_path)

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(files, "_flush", stop)
    with pytest.raises(KeyboardInterrupt):
        draw(tmp_path, "b", "c")
    monkeypatch.undo()
    assert drawn(tmp_path) == before
    assert sorted(path.name for path in tmp_path.rglob("*.png")) == ["a.png", "b.png"]


def test_drawings_from_before_there_were_tables_are_read(tmp_path: Path) -> None:
    (draw(tmp_path) / "summary.json").write_text('{"lines": ["x"], "images": ["a.png"]}')
    found = drawn(tmp_path)
    assert found is not None
    assert (found.lines, found.tables) == (["x", HOW], [])


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[]", b'{"lines": [], "images": ["x"]}'])
def test_damaged_drawings_are_named_with_the_way_to_draw_them_anew(
    tmp_path: Path, content: bytes
) -> None:
    (draw(tmp_path) / "summary.json").write_bytes(content)
    with pytest.raises(UsageError, match=r"can't be read .*; draw them anew: calm explain "):
        drawn(tmp_path)
