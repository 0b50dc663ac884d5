"""The replay in a terminal: keys, what is shown, and a real pseudo-terminal."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
from pathlib import Path

import pytest
from rich.console import Console

from agents.inspection.playback import Player, draw, plain, reached, spark, window
from tests.support.recorded import NASTY, recording


def text_of(player: Player, width: int = 100) -> str:
    console = Console(width=width, color_system=None, legacy_windows=False)
    with console.capture() as captured:
        console.print(draw(player, width))
    return captured.get()


def test_the_window_holds_the_map_of_the_whole_episode() -> None:
    assert window(recording().episodes[0]) == (slice(3, 4), slice(3, 8))


def test_keys_move_it() -> None:
    player = Player(recording())
    for key, at in (("right", 1), ("n", 2), ("right", 3), ("right", 3), ("left", 2), ("p", 1)):
        player.press(key)
        assert (player.step, player.paused) == (at, True)
    player.press(" ")
    assert not player.paused
    player.press("]")
    assert (player.episode, player.step) == (1, 0)
    player.press("]")
    assert player.episode == 1  # there are two
    player.press("[")
    assert player.episode == 0
    speeds = [player.speed]
    for key in ("up", "+", "-", "down", "down"):
        player.press(key)
        speeds.append(player.speed)
    assert speeds == [4, 8, 16, 8, 4, 2]
    player.press("x")
    assert not player.over
    player.press("q")
    assert player.over


def test_time_moves_it_through_all_episodes_and_then_it_pauses() -> None:
    player = Player(recording())
    output = [(player.episode, player.step)]
    while not player.paused:
        player.tick()
        output.append((player.episode, player.step))
    assert output == [(0, 0), (0, 1), (0, 2), (0, 3), (1, 0), (1, 1), (1, 1)]


def test_shows_the_map_and_what_it_was_worth() -> None:
    player = Player(recording(), step=3)
    text = text_of(player)
    assert "episode 1 of 2  level 70  step 3 of 3" in text
    assert "message 3" in text
    assert re.search(r"^\.\.\.@\.   action   move east", text, re.MULTILINE)
    assert "r_env    +1.00   so far +1.00" in text
    assert "credit   +2.00   so far +3.00   weight 0.5" in text
    assert "value    +0.00" in text
    assert "▶ go east\n" in re.sub(" +\n", "\n", text)
    assert f"▶ {NASTY}" in text  # text, not markup
    assert "· rest" in text
    assert "reached it" in text
    assert "HP:12(12)" in text


def test_says_what_was_reached_before_and_what_has_no_answer() -> None:
    text = text_of(Player(recording(), step=2))
    assert "✓ go east  (step 1)" in text
    assert "no answer about this step" in text
    assert reached(recording().episodes[0], 3) == {"go east": [1, 3], NASTY: [3]}


def test_in_a_narrow_terminal_the_rest_stands_below_the_map() -> None:
    assert re.search(
        r"^\.\.\.@\.\s*\naction", text_of(Player(recording(), step=3), 40), re.MULTILINE
    )


def test_bars_go_from_the_least_to_the_most() -> None:
    assert spark([0, 1, 2, 3, 7], 4) == "▁▂▃▄█"
    assert spark([0, 7, 0, 7], 2, width=2) == "█▁"
    assert spark([2, 2], 1) == "▁▁"


def test_plain_frames_hold_the_same() -> None:
    lines = list(plain(recording()))
    assert lines[:5] == [
        "episode 1, level 70, step 0",
        "message 0",
        "@....",
        "r_env +0.00  credit +0.00  value +0.00",
        "",
    ]
    assert lines.count("judged: go east") == 2
    assert f"judged: {NASTY}" in lines
    assert lines[-2:] == ["time ran out", ""]


_CHILD = """
import sys
from pathlib import Path
from rich.console import Console
from agents.inspection.recording import Recording
from agents.inspection.playback import keyboard, play
with keyboard() as read:
    play(Recording.read(Path(sys.argv[1])), Console(), read, speed=0.001)
print("done")
"""


def test_in_a_real_terminal_keys_pause_step_and_quit(tmp_path: Path) -> None:
    path = tmp_path / "episodes.parquet"
    recording().write(path)
    child, terminal = pty.fork()
    if child == 0:
        os.environ["TERM"] = "xterm-256color"
        os.execv(sys.executable, [sys.executable, "-c", _CHILD, str(path)])
    try:
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 110, 0, 0))
        screen = _Screen(terminal)
        screen.until("step 0 of 3")
        os.write(terminal, b" ")
        screen.until("paused")
        os.write(terminal, b"\x1b[C")
        screen.until("step 1 of 3")
        os.write(terminal, b"\x1b[C\x1b[C")  # two at once
        screen.until("reached it")
        os.write(terminal, b"\x1b[D")
        screen.until("step 2 of 3")
        os.write(terminal, b"+")
        screen.until("  0.5 a second")
        os.write(terminal, b"]")
        screen.until("episode 2 of 2")
        os.write(terminal, b"q")
        screen.until("done")
        _, status = os.waitpid(child, 0)
        child = 0
        assert os.waitstatus_to_exitcode(status) == 0
    finally:
        if child:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        os.close(terminal)


class _Screen:
    """What a terminal was sent, without the codes."""

    def __init__(self, terminal: int) -> None:
        self.terminal = terminal

    def until(self, text: str) -> None:
        """Reads until the text has come, since the last time."""
        output = ""
        deadline = time.monotonic() + 240
        while text not in output:
            if time.monotonic() > deadline:
                pytest.fail(f"{text!r} did not come; the terminal said {output[-2000:]!r}")
            if select.select([self.terminal], [], [], 0.5)[0]:
                try:
                    raw = os.read(self.terminal, 65536)
                except OSError:  # the other end is closed
                    raw = b""
                output += re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", raw.decode("utf-8", "replace"))
