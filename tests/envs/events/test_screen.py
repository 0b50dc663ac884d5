"""The screen and crop descriptions: golden texts of real play, and frames made by hand."""

import os
from pathlib import Path

import numpy as np
import pytest

from envs.collect import play
from envs.events.screen import Frame, describe, frame, inventory_changes

GOLDEN = Path(__file__).parent / "golden"
RULE = "\n" + "-" * 20 + "\n"


@pytest.mark.parametrize("mode", ["screen", "crop"])
def test_golden_texts_of_real_play(mode: str) -> None:
    """To write them anew after a change that is meant: CALM_WRITE_GOLDEN=1; then read them."""
    steps = [
        step.transition.texts[mode]
        for step in play("KeyRoom-S5", "scripted", episodes=1, seed=4)
        if any(step.truth.values())
    ]
    text = RULE.join(steps) + "\n"
    path = GOLDEN / f"{mode}-keyroom-s5.txt"
    if os.environ.get("CALM_WRITE_GOLDEN"):
        path.write_text(text)
    assert text == path.read_text()


def frame_of(
    *lines: str,
    hero: tuple[int, int] = (10, 40),
    message: str = "",
    inventory: tuple[tuple[str, str], ...] = (),
) -> Frame:
    """A frame with the lines in the middle of the map."""
    rows = [""] * 10 + [" " * 40 + line for line in lines]
    rows += [""] * (21 - len(rows))
    return Frame(tuple(row.ljust(79) for row in rows), hero, message, inventory)


def test_screen_shows_both_maps_in_line() -> None:
    before = frame_of("@.+", message="Hello")
    after = frame_of("|@-.", ".", hero=(10, 41))
    assert describe("screen", before, after, "move east") == (
        'Action: move east.\n\nBefore:\nMessage: "Hello"\n@.+\n\n\nAfter:\nNo message.\n|@-.\n.'
        "\n\nThe inventory did not change."
    )


def test_crop_is_centred_on_the_hero() -> None:
    frames = [frame_of("@.+", "...", hero=(10, 40)), frame_of(".@+", "...", hero=(10, 41))]
    text = describe("crop", *frames, "move east")
    before, after = (part.split("No message.\n")[1].split("\n") for part in (
        text.split("\n\nAfter:")[0], text.split("\n\nAfter:")[1].split("\n\nThe inventory")[0],
    ))  # fmt: skip
    assert len(before) == len(after) == 9
    assert before[4] == "    @.+"
    assert after[4] == "   .@+"
    assert before[5] == "    ..."


@pytest.mark.parametrize("hero", [(0, 0), (20, 78)])
def test_crop_at_the_corners_of_the_map(hero: tuple[int, int]) -> None:
    rows = [[" "] * 79 for _ in range(21)]
    rows[hero[0]][hero[1]] = "@"
    corner = Frame(tuple("".join(row) for row in rows), hero, "", ())
    lines = describe("crop", corner, corner, "wait").split("No message.\n")[1].split("\n")
    assert lines[4] == "    @"


def test_a_blank_screen_is_told() -> None:
    text = describe(
        "screen", frame_of("@"), frame_of(), "move east", "The episode ended: the hero died."
    )
    assert "After:\nNo message.\n(nothing is shown)" in text
    assert text.endswith("\n\nThe episode ended: the hero died.")


def test_changes_of_the_inventory() -> None:
    key, dagger, daggers = ("key", "g - a key"), ("weapon", "a - a dagger"), (
        "weapon", "a - 2 daggers",
    )  # fmt: skip
    nothing = ["The inventory did not change."]
    assert inventory_changes(frame_of("@"), frame_of("@", inventory=(key,))) == [
        "The key entered the inventory: g - a key."
    ]
    assert inventory_changes(
        frame_of("@", inventory=(key, dagger)), frame_of("@", inventory=(dagger,))
    ) == ["The key left the inventory: g - a key."]
    assert (
        inventory_changes(frame_of("@", inventory=(key,)), frame_of("@", inventory=(key,)))
        == nothing
    )
    assert (
        inventory_changes(frame_of(inventory=(dagger,)), frame_of(inventory=(daggers,))) == nothing
    )


def test_frame_of_arrays() -> None:
    chars = np.full((21, 79), 32, np.uint8)
    chars[3, 5], chars[3, 6] = ord("@"), 7  # a control byte
    blstats = np.zeros(27, np.int64)
    blstats[:2] = 5, 3
    glyphs = np.full(55, 5976, np.int16)
    glyphs[0] = 1906 + 196
    names = np.zeros((55, 80), np.uint8)
    names[0, :5] = list(b"a key")
    letters = np.zeros(55, np.uint8)
    letters[0] = ord("h")
    message = np.zeros(256, np.uint8)
    message[:2] = list(b"Hi")
    arrays = {
        "chars": chars, "blstats": blstats, "inv_glyphs": glyphs, "inv_strs": names,
        "inv_letters": letters, "message": message,
    }  # fmt: skip
    made_of = frame(arrays)
    chars[:] = 0
    assert made_of.hero == (3, 5)
    assert made_of.map[3] == "     @".ljust(79)
    assert made_of.message == "Hi"
    assert made_of.inventory == (("key", "h - a key"),)
