"""Plays recorded episodes in the terminal, with subgoals, credit and value beside the map."""

from __future__ import annotations

import os
import select
import sys
import termios
import time
import tty
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.style import Style
from rich.table import Table
from rich.text import Text

from agents.inspection.recording import Recording, Step

KEYS = "space pause  ←→ step  ↑↓ speed  [ ] episode  q quit"
"""The keys, as the last line lists them."""

# fmt: off
COLOURS = (
    "#6f86ff", "#e05a5a", "#4ec04e", "#c58a3d", "#6f86ff", "#d06ad0", "#3fc1c1", "#cccccc",
    "#8a8a8a", "#ff9a3d", "#7dff7d", "#ffee58", "#8ab4ff", "#ff8aff", "#7dffff", "#ffffff",
)
# fmt: on
"""The sixteen colours of the terminal, as nle numbers them; black is drawn blue, as nle does."""
_SPEEDS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
_MAP = slice(1, 22)
_PANEL = 48
"""Columns that what stands beside the map needs, space between included."""
_BARS = " ▁▂▃▄▅▆▇█"


def window(episode: Sequence[Step]) -> tuple[slice, slice]:
    """Returns the rows and columns of the terminal between which an episode's map lies."""
    filled = {
        (y, x)
        for step in episode
        for y, line in list(enumerate(step.chars.split("\n")))[_MAP]
        for x, char in enumerate(line)
        if char != " "
    }
    if not filled:
        return slice(0, 0), slice(0, 0)
    ys, xs = zip(*filled, strict=True)
    return slice(min(ys), max(ys) + 1), slice(min(xs), max(xs) + 1)


def cut(step: Step, rows: slice, columns: slice) -> list[tuple[str, str]]:
    """Returns the lines of a frame inside a window: characters and colours, of equal length."""
    pairs = zip(step.chars.split("\n")[rows], step.colours.split("\n")[rows], strict=True)
    return [(chars[columns], colours[columns]) for chars, colours in pairs]


def reached(episode: Sequence[Step], at: int) -> dict[str, list[int]]:
    """Returns the steps at which each subgoal was judged achieved, up to step `at`."""
    steps: dict[str, list[int]] = {}
    for step in episode[: at + 1]:
        for name in step.achieved:
            steps.setdefault(name, []).append(step.step)
    return steps


@dataclass
class Player:
    """The position in a recording: episode, step, speed; moved by time and by keys."""

    recording: Recording
    episode: int = 0
    """Its index in the recording."""
    step: int = 0
    """Its index in the episode."""
    paused: bool = False
    """Whether time moves nothing."""
    speed: float = 4.0
    """Steps a second."""
    over: bool = False
    """Whether the replay was quit."""

    @property
    def steps(self) -> list[Step]:
        """The episode that is shown."""
        return self.recording.episodes[self.episode]

    def press(self, key: str) -> None:
        """Moves, pauses or ends the replay by the name of a key; unknown keys do nothing."""
        if key == " ":
            self.paused = not self.paused
        elif key in ("n", "right"):
            self.paused = True
            self.step = min(self.step + 1, len(self.steps) - 1)
        elif key in ("p", "left"):
            self.paused = True
            self.step = max(self.step - 1, 0)
        elif key in ("+", "=", "up"):
            self.speed = next((s for s in _SPEEDS if s > self.speed), _SPEEDS[-1])
        elif key in ("-", "down"):
            self.speed = next((s for s in reversed(_SPEEDS) if s < self.speed), _SPEEDS[0])
        elif key == "]":
            self._to(self.episode + 1)
        elif key == "[":
            self._to(self.episode - 1)
        elif key in ("q", "escape", "\x03"):
            self.over = True

    def tick(self) -> None:
        """Moves one step on; pauses after the last step of the last episode."""
        if self.step < len(self.steps) - 1:
            self.step += 1
        elif self.episode < len(self.recording.episodes) - 1:
            self._to(self.episode + 1)
        else:
            self.paused = True

    def _to(self, episode: int) -> None:
        if 0 <= episode < len(self.recording.episodes):
            self.episode, self.step = episode, 0


def draw(player: Player, width: int = 80) -> RenderableType:
    """Returns the terminal's content at a player's position; game text is never markup."""
    recording, steps = player.recording, player.steps
    now = steps[player.step]
    rows, columns = window(steps)
    lines = now.chars.split("\n")
    head = Text.assemble(
        (f"episode {player.episode + 1} of {len(recording.episodes)}", "bold"),
        f"  level {now.level_seed}  step {now.step} of {len(steps) - 1}",
        f"  {player.speed:g} a second" + ("  paused" if player.paused else ""),
    )
    picture = Group(*(_line(chars, colours) for chars, colours in cut(now, rows, columns)))
    beside = Group(*_beside(player))
    both: RenderableType = Group(picture, beside)
    if (columns.stop or 0) - (columns.start or 0) + _PANEL <= width:
        both = Table.grid(padding=(0, 3))
        both.add_row(picture, beside)
    return Group(
        head,
        Text(""),
        Text(lines[0].strip() or " ", "italic"),
        both,
        *(Text(" ".join(s.split()), "dim") for s in lines[_MAP.stop :] if s.strip()),
        Text(""),
        Text(KEYS, "dim"),
    )


def _beside(player: Player) -> Iterator[Text]:
    """Yields the lines beside the map: action, rewards, value, subgoals, end."""
    recording, steps = player.recording, player.steps
    now, done = steps[player.step], reached(steps, player.step)
    past = steps[: player.step + 1]
    yield Text.assemble("action   ", (now.action or "–", "bold"))
    yield Text(f"r_env    {now.r_env:+.2f}   so far {sum(s.r_env for s in past):+.2f}")
    if recording.subgoals:
        credit = f"credit   {now.credit:+.2f}   so far {sum(s.credit for s in past):+.2f}"
        yield Text(
            f"{credit}   weight {recording.weight:g}", "bold green" if now.credit > 0 else ""
        )
    yield Text(f"value    {now.value:+.2f}   {spark([s.value for s in steps], player.step)}")
    yield Text("")
    for name in recording.subgoals:
        if name in now.achieved:
            yield Text(f"▶ {name}", "bold green")
        elif name in done:
            times = f", {len(done[name])} times" if done[name][1:] else ""
            yield Text(f"✓ {name}  (step {done[name][0]}{times})", "green")
        else:
            yield Text(f"· {name}", "dim")
    if now.unanswered:
        yield Text("the judge has no answer about this step", "yellow")
    if now.end:
        yield Text(now.end, "bold")


def spark(values: Sequence[float], at: int, width: int = 24) -> str:
    """Returns the last `width` values up to `at` as bars between the least and the most of all."""
    low, high = min(values), max(values)
    scale = (len(_BARS) - 2) / (high - low) if high > low else 0.0
    return "".join(
        _BARS[1 + round((v - low) * scale)] for v in values[max(0, at + 1 - width) : at + 1]
    )


def _line(chars: str, colours: str) -> Text:
    """Returns a line of the map in its colours."""
    text = Text()
    cells = zip(chars, colours, strict=True)
    for colour, run in groupby(cells, key=lambda cell: cell[1]):
        style = Style(color=COLOURS[int(colour, 16)], bgcolor="#111111")
        text.append("".join(char for char, _ in run), style)
    return text


def plain(recording: Recording) -> Iterator[str]:
    """Yields every frame as lines without colour, for output that is no terminal."""
    for i, steps in enumerate(recording.episodes):
        rows, columns = window(steps)
        for step in steps:
            head = f"episode {i + 1}, level {step.level_seed}, step {step.step}"
            yield head + (f": {step.action}" if step.action else "")
            if message := step.chars.split("\n", 1)[0].strip():
                yield message
            yield from (chars.rstrip() for chars, _ in cut(step, rows, columns))
            yield f"r_env {step.r_env:+.2f}  credit {step.credit:+.2f}  value {step.value:+.2f}"
            if step.unanswered:
                yield "the judge has no answer about this step"
            yield from (f"judged: {name}" for name in step.achieved)
            yield from ([step.end] if step.end else [])
            yield ""


def play(
    recording: Recording,
    console: Console,
    read: Callable[[float], str | None],
    speed: float = 4.0,
) -> None:
    """Plays a recording until it is quit.

    Args:
        read: waits so many seconds for a key and returns its name, or None.
        speed: steps a second to begin with.
    """
    player = Player(recording, speed=speed)
    with Live(console=console, screen=True, auto_refresh=False) as live:
        due = time.monotonic() + 1 / player.speed
        while not player.over:
            live.update(draw(player, console.width), refresh=True)
            left = 60.0 if player.paused else max(0.0, due - time.monotonic())
            key = read(left)
            if key is not None:
                player.press(key)
            elif not player.paused:
                player.tick()
            if key is None or key == " ":
                due = time.monotonic() + 1 / player.speed


@contextmanager
def keyboard() -> Iterator[Callable[[float], str | None]]:
    """Yields a function that reads single keys, unechoed; restores the terminal afterwards."""
    file = sys.stdin.fileno()
    before = termios.tcgetattr(file)
    named = {b"\x1b[C": "right", b"\x1b[D": "left", b"\x1b[A": "up", b"\x1b[B": "down",
             b"\x1bOC": "right", b"\x1bOD": "left", b"\x1bOA": "up", b"\x1bOB": "down"}  # fmt: skip
    waiting = b""

    def read(seconds: float) -> str | None:
        nonlocal waiting
        if not waiting:
            if not select.select([file], [], [], seconds)[0]:
                return None
            waiting = os.read(file, 64)
            if not waiting:
                return "q"  # the terminal is gone
        for code, name in named.items():
            if waiting.startswith(code):
                waiting = waiting[len(code) :]
                return name
        first, waiting = waiting[:1], waiting[1:]
        return "escape" if first == b"\x1b" else first.decode("latin-1")

    tty.setcbreak(file)
    try:
        yield read
    finally:
        termios.tcsetattr(file, termios.TCSADRAIN, before)
