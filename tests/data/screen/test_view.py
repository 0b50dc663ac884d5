"""A frame cut to what there is to see, with what changed marked."""

from __future__ import annotations

from calm.records import LabelledTransition, Screen, Transition
from data.screen.view import Span, screen_views


def frame(message: str, *rows: str, colour: str = "7") -> Screen:
    lines = [message.ljust(20), *(r.ljust(20) for r in rows)]
    lines += [" " * 20] * (22 - len(lines))
    lines += ["Agent HP:12".ljust(20), "".ljust(20)]
    return Screen("\n".join(lines), "\n".join(colour * 20 for _ in lines))


def row(before: Screen | None, after: Screen | None) -> LabelledTransition:
    return LabelledTransition(Transition("t", {"events": "."}, "a"), {}, {}, before, after)


def test_the_window_holds_both_frames_and_marks_the_change() -> None:
    views = screen_views(row(frame("Hello.", "", "   |.@|"), frame("", "", "   |@.|", "     -")))
    assert views is not None
    before, after = views
    assert (before.message, after.message) == ("Hello.", "")
    assert before.status == ["Agent HP:12"]
    assert len(before.lines) == len(after.lines) == 2
    assert before.lines[0] == [
        Span("|", "7", False),
        Span(".@", "7", True),
        Span("|", "7", False),
    ]
    assert after.lines[1] == [Span("  ", "7", False), Span("-", "7", True), Span(" ", "7", False)]


def test_a_change_of_colour_alone_is_a_change_but_not_of_a_blank() -> None:
    views = screen_views(row(frame("", "+ +"), frame("", "+ +", colour="3")))
    assert views is not None
    assert [s.changed for s in views[1].lines[0]] == [True, False, True]
    assert [s.colour for s in views[1].lines[0]] == ["3", "7", "3"]


def test_control_characters_become_blanks_and_keep_their_place() -> None:
    views = screen_views(row(frame("a\x1b[31mb", "x\x00y"), frame("", "x y")))
    assert views is not None
    assert views[0].message == "a [31mb"
    assert views[0].lines[0] == [Span("x y", "7", False)]


def test_colours_from_strangers_are_digits_or_plain() -> None:
    bad = Screen("m\n@@", '7\n<"')
    views = screen_views(row(bad, bad))
    assert views is not None
    assert views[0].lines[0] == [Span("@@", "7", False)]


def test_without_frames_there_is_no_picture() -> None:
    assert screen_views(row(None, frame(""))) is None
