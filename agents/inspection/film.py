"""Draws recorded episodes as pictures and writes them as GIF or MP4: tiles, subgoals, rewards.

The tiles are NetHack's own, as MiniHack ships them, so that who can't read its letters sees a key.
A recording without glyphs, of an older version, is drawn as text.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from agents.inspection.playback import COLOURS, cut, reached, window
from agents.inspection.recording import Recording, Step
from calm.errors import UsageError
from calm.files import write_file

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

Picture = Image.Image
TILE = 16
"""Side of a tile in pixels."""
_PANEL = (240, 460)
"""Pixels beside the map, at least and at most; a longer line is cut."""
_LINE, _GAP = 19, 12
_BACKGROUND, _WORDS, _DIM, _YES, _NOW = "#111111", "#dddddd", "#8a8a8a", "#4ec04e", "#7dff7d"
_HOLD = 6
"""Frames that the last one of an episode is shown for."""


def pictures(recording: Recording, scale: int = 1) -> Iterator[Picture]:
    """Yields every frame of all episodes as pictures of one size, RGB.

    Args:
        scale: whole number by which tiles are enlarged.
    """
    windows = [window(steps) for steps in recording.episodes]
    size = (
        max((columns.stop - columns.start for _, columns in windows), default=0) * TILE * scale,
        max((rows.stop - rows.start for rows, _ in windows), default=0) * TILE * scale,
    )
    lines = len(recording.subgoals) + 9
    bold = _font("DejaVu Sans:bold", 13)
    longest = max((bold.getlength(f"▶ {name}") for name in recording.subgoals), default=0.0)
    panel = int(np.clip(longest, *_PANEL))
    width, height = size[0] + panel + 3 * _GAP, max(size[1], lines * _LINE) + 2 * _GAP
    # Video codecs want even sides.
    shape = (width + width % 2, height + height % 2)
    for steps, (rows, columns) in zip(recording.episodes, windows, strict=True):
        for at, step in enumerate(steps):
            picture = Image.new("RGB", shape, _BACKGROUND)
            level = _level(step, rows, columns)
            level = level.resize(
                (level.width * scale, level.height * scale), Image.Resampling.NEAREST
            )
            picture.paste(level, (_GAP, _GAP))
            place = (size[0] + 2 * _GAP, panel)
            _write_panel(ImageDraw.Draw(picture), place, recording, steps, at)
            yield from [picture] * (1 if at < len(steps) - 1 else _HOLD)


def _level(step: Step, rows: slice, columns: slice) -> Picture:
    """Returns the map inside a window of the terminal, in tiles or, without glyphs, in letters."""
    glyphs = step.map()
    if glyphs is None:
        return _letters(step, rows, columns)
    # The terminal's first line is the message, so row 1 of it is row 0 of the map.
    inside = glyphs[rows.start - 1 : rows.stop - 1, columns]
    tiles = _tiles()[np.clip(inside, 0, len(_tiles()) - 1)]  # (h, w, TILE, TILE, 3)
    h, w = inside.shape
    return Image.fromarray(tiles.swapaxes(1, 2).reshape(h * TILE, w * TILE, 3))


def _letters(step: Step, rows: slice, columns: slice) -> Picture:
    """Returns the terminal's letters inside a window, each in a tile's place."""
    height, width = rows.stop - rows.start, columns.stop - columns.start
    picture = Image.new("RGB", (width * TILE, height * TILE), "#000000")
    draw = ImageDraw.Draw(picture)
    for y, (chars, colours) in enumerate(cut(step, rows, columns)):
        for x, (char, colour) in enumerate(zip(chars, colours, strict=True)):
            if char != " ":
                place = (x * TILE + TILE // 2, y * TILE + TILE // 2)
                draw.text(
                    place, char, COLOURS[int(colour, 16)], _font("DejaVu Sans Mono", 14), "mm"
                )
    return picture


def _write_panel(
    draw: ImageDraw.ImageDraw,
    place: tuple[int, int],
    recording: Recording,
    steps: Sequence[Step],
    at: int,
) -> None:
    """Writes what stands beside the map: step, subgoals ticking off, rewards, the end.

    Args:
        place: left edge and width in pixels.
        at: index of the step.
    """
    x, width = place
    now, done, past = steps[at], reached(steps, at), steps[: at + 1]
    font, bold = _font("DejaVu Sans", 13), _font("DejaVu Sans:bold", 13)
    y = _GAP

    def line(words: str, colour: str = _WORDS, font: FreeTypeFont = font) -> None:
        nonlocal y
        while len(words) > 1 and draw.textlength(words, font) > width:
            words = words[:-2] + "…"
        draw.text((x, y), words, colour, font)
        y += _LINE

    line(f"step {now.step}   {now.action}", font=bold)
    y += _LINE // 2
    for name in recording.subgoals:
        if name in now.achieved:
            line(f"▶ {name}", _NOW, bold)
        elif name in done:
            line(f"✓ {name}", _YES)
        else:
            line(f"·  {name}", _DIM)
    y += _LINE // 2
    line(f"reward {sum(s.r_env for s in past):+.2f}")
    if recording.subgoals:
        line(f"credit {sum(s.credit for s in past):+.2f}, weight {recording.weight:g}")
    line(f"value {now.value:+.2f}")
    if now.unanswered:
        line("the judge has no answer about this step", "#ffee58")
    if now.end:
        line(now.end, font=bold)


@cache
def _font(name: str, size: int) -> FreeTypeFont:
    """Returns one of the fonts that matplotlib ships, by its pattern."""
    from matplotlib.font_manager import findfont

    return ImageFont.truetype(findfont(name, fallback_to_default=True), size)


@cache
def _tiles() -> npt.NDArray[np.uint8]:
    """Returns the tile of every glyph, (glyphs, TILE, TILE, 3) RGB."""
    with warnings.catch_warnings():
        # MiniHack imports pkg_resources and leaves the file open.
        warnings.simplefilter("ignore")
        from minihack.tiles import GlyphMapper, glyph2tile

        tiles = GlyphMapper().tiles
    return np.array([tiles[number] for number in glyph2tile], np.uint8)


def write_gif(recording: Recording, path: Path, speed: float = 4.0, scale: int = 1) -> None:
    """Writes all episodes as one GIF that repeats for ever.

    Args:
        speed: steps a second.
        scale: whole number by which tiles are enlarged.
    """
    first, *others = (p.quantize(128) for p in pictures(recording, scale))
    write_file(
        path,
        lambda partial: first.save(
            partial, "GIF", save_all=True, append_images=others, duration=1000 / speed, loop=0
        ),
    )


def write_mp4(recording: Recording, path: Path, speed: float = 4.0, scale: int = 1) -> None:
    """Writes all episodes as one H.264 video, which every browser plays.

    Args:
        speed: steps a second.
        scale: whole number by which tiles are enlarged.

    Raises:
        UsageError: the encoder refused the pictures.
    """
    import av

    def write(partial: Path) -> None:
        with av.open(str(partial), "w", format="mp4") as container:
            stream = container.add_stream("libx264", rate=Fraction(speed).limit_denominator(100))
            stream.pix_fmt = "yuv420p"
            for i, picture in enumerate(pictures(recording, scale)):
                if i == 0:
                    stream.width, stream.height = picture.size
                container.mux(stream.encode(av.VideoFrame.from_image(picture)))
            container.mux(stream.encode(None))

    try:
        write_file(path, write)
    except av.error.FFmpegError as error:
        raise UsageError(f"{path} could not be written as a video: {error}") from None
