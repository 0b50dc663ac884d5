"""Records episodes of a run's own agent, step by step: screens, actions, credit and value.

Plays held-out levels with the policy of the run's checkpoint, as evaluation does, and writes every
frame into `episodes.parquet` beside the checkpoint. No language model is asked: its answers are
those that the run itself got (`judged.json`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm

from agents.inspection.load import trained
from agents.ppo.fast_recurrent_ppo import FastRecurrentPPO
from agents.training.run.folder import Run
from calm.errors import UsageError
from calm.files import write_file
from calm.records import Screen, Task
from data.parquet_file import read_whole
from envs.collect import screen_of
from envs.events.stream import EventStream
from envs.game.goal import ABORTED, DIED, LOST, WON
from envs.implementations import make_event_stream
from envs.interfaces.sb3_vec import Sb3Vec
from envs.observer import Actions, Bools, Rows
from envs.stepping.batch import Batch

FILE = "episodes.parquet"
Observation = Mapping[str, npt.NDArray[Any]]
_TTY = ("tty_chars", "tty_colors")
MAP = (21, 79)
"""Rows and columns of a level's map."""
_ENDS = {WON: "reached the goal", LOST: "failed", DIED: "died", ABORTED: "stopped"}


@dataclass(frozen=True)
class Step:
    """One frame of an episode and the step that led to it; the first frame has no step."""

    episode: int
    step: int
    """0 for the first frame."""
    level_seed: int
    chars: str
    """24 lines of 80 characters, joined by newlines."""
    colours: str
    """As `chars`, each character replaced by its terminal colour, one hex digit."""
    action: str
    event: str
    """What the step changed, in the words that a judge reads."""
    achieved: list[str]
    """Subgoals that this step achieved by the judge's answer."""
    unanswered: bool
    """Whether the judge's answer could not be read, or the run never asked."""
    r_env: float
    """The environment's own reward of the step."""
    credit: float
    """Before its weight."""
    value: float
    """The return that the agent expects from here on, of the reward it was trained on; 0 at an
    end."""
    end: str
    """How the episode ended with this step; "" where it did not."""
    glyphs: bytes = b""
    """The map as nle's numbers, MAP int16, little-endian; empty in older recordings."""

    def map(self) -> npt.NDArray[np.int16] | None:
        """Returns the map as nle's numbers, MAP; None where it was not recorded."""
        return np.frombuffer(self.glyphs, "<i2").reshape(MAP) if self.glyphs else None

    def check(self) -> None:
        """Raises a ValueError where characters or colours are no screen, or glyphs no map."""
        chars, colours = self.chars.split("\n"), self.colours.split("\n")
        if len(chars) != 24 or [len(c) for c in chars] != [len(c) for c in colours]:
            raise ValueError("a screen is 24 lines of characters, each with its colour")
        if set(self.colours) - set("0123456789abcdef\n"):
            raise ValueError("a colour is one hex digit")
        if self.glyphs and len(self.glyphs) != 2 * MAP[0] * MAP[1]:
            raise ValueError("a map is 21 lines of 79 numbers")


@dataclass(frozen=True)
class Recording:
    """Some episodes of one agent."""

    task: str
    judge: str
    weight: float
    trained: int
    """Steps that the agent had been trained for."""
    subgoals: list[str]
    """Names of those that pay."""
    episodes: list[list[Step]]
    """Of each episode its frames."""

    def write(self, path: Path) -> None:
        """Replaces the file by this recording."""
        about = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "episodes"}
        rows = [asdict(step) for episode in self.episodes for step in episode]
        table = pa.Table.from_pylist(rows, _SCHEMA.with_metadata({"recording": json.dumps(about)}))
        write_file(path, lambda partial: pq.write_table(table, partial))

    def only(self, number: int) -> Recording:
        """Returns the recording with one of its episodes alone.

        Args:
            number: counts from 1.

        Raises:
            UsageError: there is none of that number.
        """
        if not 1 <= number <= len(self.episodes):
            raise UsageError(
                f"there is no episode {number}: expected 1 to {len(self.episodes)};"
                " --episodes records more"
            )
        return replace(self, episodes=[self.episodes[number - 1]])

    @classmethod
    def read(cls, path: Path) -> Recording:
        """Returns the recording in a file.

        Raises:
            UsageError: it can't be read, or holds something else.
        """
        try:
            table = read_whole(path)
            about = json.loads((table.schema.metadata or {})[b"recording"])
            episodes: dict[int, list[Step]] = {}
            for row in table.to_pylist():
                step = Step(**{name: _printable(value) for name, value in row.items()})
                step.check()
                episodes.setdefault(step.episode, []).append(step)
            about = {name: _printable(value) for name, value in about.items()}
            return cls(**about, episodes=list(episodes.values()))
        except (
            OSError,
            pa.ArrowException,
            KeyError,
            ValueError,
            TypeError,
            AttributeError,
        ) as error:
            raise UsageError(
                f"{path} holds no recorded episodes ({error}); record some with"
                " `calm replay RUN --again`"
            ) from None


def _printable(value: Any) -> Any:
    """Returns text, or each in a list, without control characters, which a terminal would obey."""
    if isinstance(value, list):
        return [_printable(one) for one in value]
    if not isinstance(value, str):
        return value
    return "".join(c if c.isprintable() or c == "\n" else " " for c in value)


_SCHEMA = pa.schema(
    {
        "episode": pa.int32(),
        "step": pa.int32(),
        "level_seed": pa.int64(),
        "chars": pa.string(),
        "colours": pa.string(),
        "action": pa.string(),
        "event": pa.string(),
        "achieved": pa.list_(pa.string()),
        "unanswered": pa.bool_(),
        "r_env": pa.float64(),
        "credit": pa.float64(),
        "value": pa.float64(),
        "end": pa.string(),
        "glyphs": pa.binary(),
    }
)


_Frame = tuple[Screen, bytes]
"""What the terminal shows, and the map's glyphs."""


class _Watcher:
    """Observes a batch: screens and events of every step, before rows that ended are reset."""

    keys = (*_TTY, "glyphs", *EventStream.keys)

    def __init__(self, batch: Batch) -> None:
        self.events = make_event_stream(batch.task, batch)
        self._batch = batch
        self.first: list[_Frame] = []
        self.frames: list[_Frame] = []
        self.event_texts: list[str] = []

    def on_reset(self, rows: Rows) -> None:
        self.events.on_reset(rows)
        if not self.first:
            self.first = self._frames()

    def on_step(self, actions: Actions, terminated: Bools, truncated: Bools) -> None:
        self.events.on_step(actions, terminated, truncated)
        self.frames = self._frames()
        self.event_texts = [self.events.texts[i] for i in self.events.ids]

    def _frames(self) -> list[_Frame]:
        chars, colours, glyphs = (self._batch.arrays[key] for key in (*_TTY, "glyphs"))
        return [
            (screen_of(c, k), g.astype("<i2").tobytes())
            for c, k, g in zip(chars, colours, glyphs, strict=True)
        ]


def record_run(run: Run, episodes: int = 4, seed: int | None = None) -> Recording:
    """Plays held-out levels with a run's agent; the same arguments give the same episodes.

    Args:
        run: with a checkpoint.
        episodes: how many, each on a level of its own.
        seed: of the levels and the play; None for the run's own, whose levels it is evaluated on.

    Raises:
        UsageError: the run has no checkpoint.
    """
    config = run.config
    seed = config.seed if seed is None else seed
    with trained(run, episodes, seed, extra_keys=_Watcher.keys) as (model, env, subgoals, steps):
        frames = _play(model, env, config.described, seed)
    names = [s.name for s in subgoals]
    return Recording(config.task, config.judge, config.weight, steps, names, frames)


def latest(
    run: Run, path: Path, episodes: int | None = None, seed: int | None = None, again: bool = False
) -> Recording:
    """Returns the recording at `path` if it is of the run's present checkpoint, else a new one.

    A new one is written there.

    Args:
        run: with a checkpoint.
        episodes: how many; None for as many as there are, 4 in a new one.
        seed: None for any in a recording that is there, for the run's own in a new one.
        again: records anew in any case.
    """
    if path.exists() and not again and seed is None:
        recording = Recording.read(path)
        trained = run.load_policy()[1]
        if recording.trained == trained and episodes in (None, len(recording.episodes)):
            return recording
    record_run(run, episodes or 4, seed).write(path)
    return Recording.read(path)


class _Agent:
    """A policy that plays B environments, with its memory of the episodes in them.

    Args:
        model: that was trained.
        n_envs: B.
    """

    def __init__(self, model: OnPolicyAlgorithm, n_envs: int) -> None:
        self.policy = model.policy
        self.memory: tuple[npt.NDArray[np.float32], ...] | None = None
        """Of an lstm: two arrays (layers, B, width)."""
        if isinstance(model, FastRecurrentPPO):
            layers, _, width = self.policy.lstm_hidden_state_shape
            self.memory = (np.zeros((layers, n_envs, width), np.float32),) * 2

    def act(self, observation: Observation, begun: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
        """Draws actions (B,) for observations (B, ...), of which some (B,) begin an episode."""
        actions, self.memory = self.policy.predict(
            observation, self.memory, begun, deterministic=False
        )
        return np.asarray(actions, np.int64)

    def values(
        self, observation: Observation, begun: npt.NDArray[np.bool_], rows: slice = slice(None)
    ) -> list[float]:
        """Returns the critic's values of observations of some rows, one a row.

        Args:
            observation: by key, (rows, ...).
            begun: (rows,), which of them begin an episode.
            rows: which of the B environments they are of.
        """
        tensors, _ = self.policy.obs_to_tensor(dict(observation))
        past: list[Any] = []
        if self.memory is not None:
            device = self.policy.device
            memory = tuple(torch.as_tensor(m[:, rows], device=device) for m in self.memory)
            past = [memory, torch.as_tensor(begun, dtype=torch.float32, device=device)]
        with torch.no_grad():
            values: list[float] = self.policy.predict_values(tensors, *past).flatten().tolist()
        return values


def _play(model: OnPolicyAlgorithm, env: Sb3Vec, task: Task, seed: int) -> list[list[Step]]:
    """Returns the first episode of every environment, a frame a step."""
    agent = _Agent(model, env.num_envs)
    batch, shaping = env.batch, env.episodes.shaping
    watcher = _Watcher(batch)
    batch.observers.append(watcher)
    torch.manual_seed(seed)
    observation = env.reset()
    levels = batch.level_seeds.tolist()
    begun = np.ones(env.num_envs, np.bool_)
    values = agent.values(observation, begun)
    episodes = [
        [Step(i, 0, level, p.chars, p.colours, "", "", [], False, 0.0, 0.0, v, "", glyphs)]
        for i, (level, (p, glyphs), v) in enumerate(zip(levels, watcher.first, values, strict=True))
    ]
    names = [s.name for s in shaping.subgoals] if shaping else []
    running = set(range(env.num_envs))
    while running:
        actions = agent.act(observation, begun)
        observation, _, begun, infos = env.step(actions)
        values = agent.values(observation, begun)
        for i in sorted(running):
            answers = shaping.source.achieved[i].tolist() if shaping else []
            end, value = "", values[i]
            if begun[i]:
                running.discard(i)
                cut = infos[i]["TimeLimit.truncated"]
                end = "time ran out" if cut else _ENDS.get(int(batch.status[i]), "ended")
                last = {k: v[None] for k, v in infos[i]["terminal_observation"].items()}
                here = slice(i, i + 1)
                value = agent.values(last, ~begun[here], here)[0] if cut else 0.0
            screen, glyphs = watcher.frames[i]
            episodes[i].append(
                Step(
                    episode=i,
                    step=len(episodes[i]),
                    level_seed=levels[i],
                    chars=screen.chars,
                    colours=screen.colours,
                    action=task.actions[int(actions[i])],
                    event=watcher.event_texts[i],
                    achieved=[n for n, yes in zip(names, answers, strict=True) if yes == 1],
                    unanswered=min(answers, default=0) < 0,
                    r_env=float(env.episodes.r_env[i]),
                    credit=float(env.episodes.credit[i]),
                    value=value,
                    end=end,
                    glyphs=glyphs,
                )
            )
    return episodes
