"""Writes episodes as a Minari dataset, the Farama Foundation's format for offline learning.

    ROOT/ID/data/     what Minari reads, with its metadata
    ROOT/ID/README.md what it holds and what not

ROOT is a folder of Minari datasets: `MINARI_DATASETS_PATH=ROOT` has `minari.load_dataset(ID)` find
them, `minari.MinariDataset("ROOT/ID/data")` reads one where it lies.
"""

from __future__ import annotations

import re
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import spaces

from agents.sharing.episodes import TERMINAL, Episodes
from calm.errors import UsageError
from calm.files import write_folder
from calm.version import VERSION
from data.sharing.card import markdown_table

FORMAT = "parquet"
"""Of Minari's formats the one that is compressed."""
GLYPHS = 5977
"""nle's glyphs are numbered below this."""
_SPACES = {
    "tty_chars": spaces.Box(0, 127, TERMINAL, np.uint8),
    "tty_colors": spaces.Box(0, 15, TERMINAL, np.uint8),
    "glyphs": spaces.Box(0, GLYPHS, (21, 79), np.int16),
}


def dataset_id(task: str, name: str) -> str:
    """Returns a Minari id: `calm/keyroom-s5/NAME-v0`.

    Args:
        task: its id.
        name: what tells this dataset from others of the task; a version at its end counts.
    """
    short = task.removeprefix("MiniHack-").removesuffix("-v0").lower()
    plain = re.sub(r"[^a-z0-9_-]+", "-", name.lower(), flags=re.ASCII).strip("-") or "episodes"
    versioned = plain if re.search(r"-v\d+$", plain) else f"{plain}-v0"
    return f"calm/{re.sub(r'[^a-z0-9_-]+', '-', short, flags=re.ASCII)}/{versioned}"


def write_minari(episodes: Episodes, root: Path, name: str, source: str) -> dict[str, Any]:
    """Writes the episodes of a task as one dataset.

    Args:
        root: folder of Minari datasets.
        name: the last part of its id, see `dataset_id`.
        source: what the episodes are, for the description.

    Returns:
        `id`, `folder`, `episodes`, `steps`, `left_out`.

    Raises:
        UsageError: there is a dataset of that id, or Minari is not installed.
    """
    id = dataset_id(episodes.task.id, name)
    folder = root / id
    if folder.exists():
        raise UsageError(f"{folder} is there already; name another dataset with --name")
    steps = sum(len(one.actions) for one in episodes.episodes)
    text = _description(episodes, source)

    def fill(partial: Path) -> None:
        _write_data(episodes, partial / "data", id, text)
        (partial / "README.md").write_text(_card(episodes, id, root, text, steps), "utf-8")

    write_folder(folder, fill)
    return {
        "id": id,
        "folder": str(folder),
        "episodes": len(episodes.episodes),
        "steps": steps,
        "left_out": list(episodes.left_out),
    }


def _write_data(episodes: Episodes, folder: Path, id: str, text: str) -> None:
    """Writes what Minari reads into a folder that is not there yet."""
    from minari.data_collector.episode_buffer import EpisodeBuffer
    from minari.dataset.minari_storage import MinariStorage

    keys = episodes.episodes[0].observations
    storage = MinariStorage.new(
        folder,
        observation_space=spaces.Dict({key: _SPACES[key] for key in keys}),
        action_space=spaces.Discrete(len(episodes.task.actions)),
        data_format=FORMAT,
        jpeg_encoding=False,
    )
    origins = sorted({one.origin for one in episodes.episodes})
    storage.update_metadata(
        {
            "dataset_id": id,
            "minari_version": version("minari"),
            "algorithm_name": ", ".join(origins),
            "author": {"CALM"},
            "description": text,
            "requirements": [f"{name}=={version(name)}" for name in ("nle", "minihack")],
            # Ours; Minari hands them on.
            "calm_version": VERSION,
            "task": episodes.task.id,
            "goal": episodes.task.goal,
            "actions": list(episodes.task.actions),
            "subgoals": list(episodes.subgoals),
            "achieved_by": episodes.achieved_by,
            "not_exported": list(episodes.left_out),
        }
    )
    for one in episodes.episodes:
        ends = np.zeros(len(one.actions), np.bool_)
        terminations, truncations = ends.copy(), ends.copy()
        (terminations if one.terminated else truncations)[-1] = True
        storage.update_episodes(
            [
                EpisodeBuffer(
                    options={"level_seed": one.level_seed, "player": one.origin},
                    observations=dict(one.observations),
                    actions=one.actions,
                    rewards=one.rewards,
                    terminations=terminations,
                    truncations=truncations,
                    infos=dict(one.infos),
                )
            ]
        )


def _description(episodes: Episodes, source: str) -> str:
    return (
        f"Whole episodes of {episodes.task.id} from {source}. Rewards are the environment's own."
        f" infos['achieved'] says which subgoals each step achieved by {episodes.achieved_by}, 1"
        " yes, 0 no, -1 not known, in the order of the metadata's `subgoals`; infos['events'] is"
        " the step in words. infos have one entry more than steps: the first is of the reset."
    )


def _card(episodes: Episodes, id: str, root: Path, text: str, steps: int) -> str:
    """Returns the card as Markdown: what is in it, rates by subgoal, what is not in it."""
    by_step = np.concatenate([one.infos["achieved"][1:] for one in episodes.episodes])
    rates = [
        (name, int((column == 1).sum()), known, f"{(column == 1).sum() / max(known, 1):.2%}")
        for name, column in zip(episodes.subgoals, by_step.T, strict=True)
        for known in [int((column >= 0).sum())]
    ]
    returns = [float(one.rewards.sum()) for one in episodes.episodes]
    origins = sorted({one.origin for one in episodes.episodes})
    return (
        "\n\n".join(
            (
                f"# {id}",
                text,
                f"{len(episodes.episodes):,} episodes, {steps:,} steps, mean return"
                f" {np.mean(returns):.3f}. Played by: {', '.join(origins)}. Task:"
                f" {episodes.task.goal}",
                "Licence of what CALM wrote: Apache-2.0; what the screens show is the work of the"
                " NetHack DevTeam (NetHack General Public License).",
                "```python\nimport minari\n\n"
                f'dataset = minari.MinariDataset("{root / id / "data"}")\n```',
                "## How often each subgoal is achieved",
                markdown_table(("subgoal", "steps that achieve it", "of", "share"), rates)
                if rates
                else "No subgoal is told.",
                "## Not in it",
                "\n".join(
                    f"- {line}"
                    for line in (
                        *episodes.left_out,
                        "an environment to be recovered: make one with `envs.make`",
                    )
                ),
            )
        )
        + "\n"
    )
