"""Films of recorded episodes: what each frame shows, and files that others can play."""

from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from nle import nethack
from PIL import Image

from agents.inspection.film import TILE, pictures, write_gif, write_mp4
from agents.inspection.recording import MAP, Recording
from tests.support.recorded import recording

EDGE = 12
"""Pixels between the border and the map."""


def in_tiles() -> Recording:
    """The corridor of `recorded`, with glyphs: a hero on floor."""
    hero, floor = nethack.GLYPH_MON_OFF + 327, nethack.GLYPH_CMAP_OFF + 19
    plain = recording()
    steps = []
    for one in plain.episodes[0]:
        glyphs = np.full(MAP, nethack.GLYPH_CMAP_OFF, "<i2")
        glyphs[2, 3:8] = floor
        glyphs[2, 3 + one.step] = hero
        steps.append(replace(one, glyphs=glyphs.tobytes()))
    return replace(plain, episodes=[steps])


def cells(picture: Image.Image) -> list[np.ndarray]:
    """Returns the five cells of the corridor as drawn."""
    pixels = np.asarray(picture)[EDGE : EDGE + TILE, EDGE : EDGE + 5 * TILE]
    return np.split(pixels, 5, axis=1)


def test_the_hero_walks_from_tile_to_tile() -> None:
    frames = list(pictures(in_tiles()))
    assert len(frames) == 3 + 6  # the last one is held
    assert len({frame.size for frame in frames}) == 1
    for at, frame in enumerate(frames[:4]):
        drawn = cells(frame)
        others = [cell for i, cell in enumerate(drawn) if i != at]
        assert all(np.array_equal(others[0], cell) for cell in others)
        assert not np.array_equal(drawn[at], others[0])
    assert np.array_equal(cells(frames[0])[0], cells(frames[1])[1])


def test_what_is_enlarged_has_the_same_pixels_more_often() -> None:
    small, large = next(pictures(in_tiles())), next(pictures(in_tiles(), 2))
    corridor = np.asarray(small)[EDGE : EDGE + TILE, EDGE : EDGE + 5 * TILE]
    twice = corridor.repeat(2, axis=0).repeat(2, axis=1)
    assert np.array_equal(np.asarray(large)[EDGE : EDGE + 2 * TILE, EDGE : EDGE + 10 * TILE], twice)


def test_a_subgoal_ticks_off_in_the_panel_and_the_map_is_letters_without_glyphs() -> None:
    frames = list(pictures(recording()))
    panels = [np.asarray(frame)[:, EDGE + 5 * TILE :] for frame in frames[:2]]
    green = np.array([0x7D, 0xFF, 0x7D])
    assert not (panels[0] == green).all(-1).any()
    assert (panels[1] == green).all(-1).any()
    assert np.asarray(frames[0])[EDGE : EDGE + TILE, EDGE : EDGE + TILE].max() > 200  # the white @


def test_a_gif_repeats_and_holds_every_step(tmp_path: Path) -> None:
    write_gif(in_tiles(), tmp_path / "a.gif", speed=5)
    with Image.open(tmp_path / "a.gif") as gif:
        assert gif.info["loop"] == 0
        durations = []
        for at in range(gif.n_frames):
            gif.seek(at)
            durations.append(gif.info["duration"])
        assert sum(durations) == 9 * 200


@pytest.mark.parametrize("speed", [4.0, 0.5, 7.3])
def test_a_video_has_a_frame_a_step(tmp_path: Path, speed: float) -> None:
    write_mp4(in_tiles(), tmp_path / "a.mp4", speed)
    with av.open(str(tmp_path / "a.mp4")) as video:
        assert video.streams.video[0].codec_context.name == "h264"
        frames = list(video.decode(video=0))
    assert len(frames) == 9
    assert (frames[0].width, frames[0].height) == next(pictures(in_tiles())).size
