"""Writes recorded episodes as one HTML file that plays them: no server, nothing from outside.

All that comes from the game or a judge is data for the script, which writes it as text.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from agents.inspection.playback import COLOURS, cut, window
from agents.inspection.recording import Recording, Step
from calm.files import write_file

FILE = "replay.html"
TEMPLATE = Path(__file__).parent / "templates" / "replay.html.j2"


def write_page(recording: Recording, path: Path, title: str) -> Path:
    """Writes the page and returns its path."""
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string(TEMPLATE.read_text("utf-8"))
    html = template.render(
        title=title,
        recording=recording,
        # In a script element only a "<" can end the data early.
        data=Markup(json.dumps(_data(recording), separators=(",", ":")).replace("<", "\\u003c")),
        colours=COLOURS,
    )
    write_file(path, html)
    return path


def _data(recording: Recording) -> dict[str, Any]:
    """Returns what the page's script plays, as plain values."""
    return {
        "subgoals": recording.subgoals,
        "episodes": [_episode(steps) for steps in recording.episodes],
    }


def _episode(steps: list[Step]) -> dict[str, Any]:
    """Returns an episode's frames; a line of the map that stays as it was is 0."""
    rows, columns = window(steps)
    frames, before = [], [("", "")] * len(range(*rows.indices(24)))
    for step in steps:
        lines, terminal = cut(step, rows, columns), step.chars.split("\n")
        frames.append(
            {
                "map": [
                    0 if line == old else line for line, old in zip(lines, before, strict=True)
                ],
                "message": terminal[0].strip(),
                "status": [" ".join(s.split()) for s in terminal[22:] if s.strip()],
                "action": step.action,
                "event": step.event,
                "achieved": step.achieved,
                "unanswered": step.unanswered,
                "r_env": step.r_env,
                "credit": step.credit,
                "value": step.value,
                "end": step.end,
            }
        )
        before = lines
    return {"level": steps[0].level_seed, "frames": frames}
