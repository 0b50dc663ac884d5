"""What is drawn is found again; what is half drawn or damaged is not taken for it."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from agents.inspection.explain_page import HOW, clear, draw_situation, draw_time, drawn, write_page
from calm.errors import UsageError


def draw(run: Path) -> Path:
    out = clear(run)
    picture = draw_situation(out / "a.png", None, np.eye(3), "a & b")
    write_page(run, ["<b>so</b>"], [picture])
    return out


def test_what_is_drawn_is_found(tmp_path: Path) -> None:
    assert drawn(tmp_path) is None
    draw(tmp_path)
    section = drawn(tmp_path)
    assert section is not None
    assert section[0] == ["<b>so</b>", HOW]
    assert section[1].count("data:image/png;base64,") == 1
    page = (tmp_path / "explain.html").read_text("utf-8")
    assert "&lt;b&gt;so" in page
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in page
    assert "prefers-color-scheme: dark" in page


def test_drawings_have_no_ground_of_their_own_so_that_a_dark_page_stays_dark(
    tmp_path: Path,
) -> None:
    for path in (
        draw_situation(tmp_path / "a.png", None, np.eye(3), "a"),
        draw_time(tmp_path / "b.png", np.array([0.1, 0.9])),
    ):
        drawing = imread(path)  # (H, W, 4), the last is opacity
        assert drawing[0, 0, 3] == 0, path
        assert drawing[..., 3].max() == 1


def test_stopped_while_drawing_anew_nothing_is_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw(tmp_path)

    def stop(*_: object, **_more: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "glob", stop)
    with pytest.raises(KeyboardInterrupt):
        clear(tmp_path)
    monkeypatch.undo()
    assert drawn(tmp_path) is None


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[]", b'{"lines": [], "images": ["x"]}'])
def test_a_damaged_summary_is_named(tmp_path: Path, content: bytes) -> None:
    (draw(tmp_path) / "summary.json").write_bytes(content)
    with pytest.raises(UsageError, match=r"summary\.json can't be read"):
        drawn(tmp_path)
