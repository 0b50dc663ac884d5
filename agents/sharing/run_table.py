"""Writes the episodes of a run's agent as a folder that Hugging Face `datasets` loads."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from agents.inspection.recording import Recording
from agents.training.run.folder import Run
from calm.errors import UsageError
from calm.files import write_folder
from data.sharing.card import TAGS, UNKNOWN, card, markdown_table, size_category

STEPS = pa.schema(
    [
        ("episode", pa.int32()),
        ("step", pa.int32()),
        ("level_seed", pa.int64()),
        ("action", pa.string()),
        ("events", pa.string()),
        ("achieved", pa.list_(pa.string())),
        ("unanswered", pa.bool_()),
        ("reward", pa.float64()),
        ("credit", pa.float64()),
        ("value", pa.float64()),
        ("end", pa.string()),
        ("chars", pa.string()),
        ("colours", pa.string()),
        ("glyphs", pa.list_(pa.int16())),
    ]
)
COLUMNS = {
    "episode, step": "step 0 is the frame after the reset: it has no action and no reward",
    "action": "English name of the action that led to this frame",
    "events": "what the step changed, in the words that the judge reads",
    "achieved": "subgoals that the step achieved by the judge's answer",
    "unanswered": "whether the judge's answer could not be read, or the run never asked",
    "reward": "the environment's own",
    "credit": "what the judge's answer pays, before its weight",
    "value": "the return that the agent expects from here on",
    "end": "how the episode ended with this step; empty where it did not",
    "chars, colours": "the terminal, 24 lines of 80; a colour is one hex digit",
    "glyphs": "the map as nle's numbers, 21 x 79, line by line",
}


def write_run_table(
    run: Run, recording: Recording, folder: Path, licence: str = ""
) -> dict[str, Any]:
    """Writes a recording as parquet with a card into a new folder.

    Args:
        licence: the hub's id of it; "" where nobody has told.

    Returns:
        `folder`, `episodes`, `frames`.

    Raises:
        UsageError: the folder is there already.
    """
    if folder.exists():
        raise UsageError(f"{folder} is there already; name a new folder")
    frames = [step for episode in recording.episodes for step in episode]
    rows = []
    for step in frames:
        values = asdict(step)
        glyphs = step.map()
        rows.append(
            {name: values.get(name) for name in STEPS.names}
            | {
                "events": step.event,
                "reward": step.r_env,
                "glyphs": None if glyphs is None else glyphs.flatten().tolist(),
            }
        )
    table = pa.Table.from_pylist(rows, schema=STEPS)

    def fill(partial: Path) -> None:
        pq.write_table(table, partial / "steps.parquet", compression="zstd")
        (partial / "README.md").write_text(_card(run, recording, len(frames), licence), "utf-8")

    write_folder(folder, fill)
    return {"folder": str(folder), "episodes": len(recording.episodes), "frames": len(frames)}


def _card(run: Run, recording: Recording, frames: int, licence: str) -> str:
    config, made = run.config, run.started_with
    header = {
        "license": licence or UNKNOWN,
        "pretty_name": config.name,
        "language": ["en"],
        "tags": list(TAGS),
        "size_categories": [size_category(frames)],
        "configs": [
            {
                "config_name": "steps",
                "default": True,
                "data_files": [{"split": "train", "path": "steps.parquet"}],
            }
        ],
    }
    steps = [step for episode in recording.episodes for step in episode[1:]]
    answered = [step for step in steps if not step.unanswered]
    rates = [
        (name, yes, len(answered), f"{yes / max(len(answered), 1):.2%}")
        for name in recording.subgoals
        for yes in [sum(name in step.achieved for step in answered)]
    ]
    won = sum(episode[-1].end == "reached the goal" for episode in recording.episodes)
    return card(
        header,
        (
            f"# Episodes of {config.name}",
            f"{len(recording.episodes)} episodes of {recording.task} on held-out levels,"
            f" {len(steps):,} steps, {won} of them reached the goal, played by an agent trained for"
            f" {recording.trained:,} steps on the environment's reward and credit by"
            f" {recording.judge} (weight {recording.weight}). Code {made.get('commit', 'unknown')},"
            f" nle {made.get('nle', 'unknown')}, minihack {made.get('minihack', 'unknown')}.",
            markdown_table(("column", "meaning"), ((f"`{c}`", m) for c, m in COLUMNS.items())),
            "## How often each subgoal is achieved, by the judge",
            markdown_table(("subgoal", "steps that achieve it", "of", "share"), rates)
            if rates
            else "No subgoal was judged.",
            "What the screens show is the work of the NetHack DevTeam (NetHack General Public"
            " License).",
        ),
    )
