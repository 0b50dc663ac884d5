"""A trained agent to play with: of a run's folder, pulled from the hub, or packaged.

from agents import load_agent
print(load_agent("keyroom-s5").success(20))
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch

from agents.inspection.load import trained
from agents.training.evaluation import Success, measure_success
from agents.training.run.folder import Run
from calm.errors import UsageError, unknown

PRETRAINED = Path(__file__).parents[1] / "pretrained"
"""The folder of the agents that come with the project; each is as one that was pulled."""


def pretrained_agents() -> list[str]:
    """Returns the names of the agents that come with the project, sorted."""
    return sorted(path.parent.name for path in PRETRAINED.glob("*/config.yaml"))


def agent_folder(name: str | Path) -> Path:
    """Returns the folder of an agent: that of a run, or of a packaged agent of that name.

    Raises:
        UsageError: there is none; names those that come with the project.
    """
    folder = Path(name)
    if (folder / "config.yaml").is_file():
        return folder
    if str(name) in pretrained_agents():
        return PRETRAINED / str(name)
    raise unknown("agent or folder of a run", str(name), pretrained_agents())


class Agent:
    """A trained agent with B environments of held-out levels; a context that closes them.

    Args:
        run: of the agent.
        n_envs: B.
        seed: of the levels and of the actions; None for the run's own.
    """

    def __init__(self, run: Run, n_envs: int = 1, seed: int | None = None) -> None:
        self.config = run.config
        self.seed = self.config.seed if seed is None else seed
        with ExitStack() as stack:
            loaded = stack.enter_context(trained(run, n_envs, self.seed))
            self._closing = stack.pop_all()
        self.model = loaded.model
        """stable-baselines3's, to `predict` and to save; its optimiser stayed with the run."""
        self.env = loaded.env
        """A `VecEnv` of held-out levels, with what the agent observes."""
        self.steps = loaded.steps
        """For which it was trained."""
        self._memory: tuple[npt.NDArray[np.float32], ...] | None = None

    def act(
        self,
        observation: Mapping[str, npt.NDArray[Any]],
        begun: npt.NDArray[np.bool_] | None = None,
        *,
        greedy: bool = False,
    ) -> npt.NDArray[np.int64]:
        """Returns actions (B,) for observations by key, (B, ...).

        An agent with an LSTM remembers the episodes in these B environments from call to call.

        Args:
            observation: as `env` returns it.
            begun: (B,) which of them begin an episode, the `dones` of the step before; without it
                an LSTM takes all calls for one episode. Other agents don't need it.
            greedy: the likeliest ones; by default they are drawn, as in training.
        """
        actions, self._memory = self.model.predict(
            dict(observation), self._memory, begun, deterministic=greedy
        )
        return np.asarray(actions, np.int64)

    def success(self, episodes: int = 100, *, greedy: bool = False) -> Success:
        """Plays held-out levels, each once; returns how many were finished, and their means.

        Raises:
            UsageError: the episodes don't divide among the environments.
        """
        if episodes < 1 or episodes % self.env.num_envs:
            raise UsageError(
                f"{episodes} episodes don't divide among {self.env.num_envs} environments"
            )
        torch.manual_seed(self.seed)
        return measure_success(self.model, self.env, episodes, greedy=greedy)

    def close(self) -> None:
        """Ends the games."""
        self._closing.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def load_agent(name: str | Path, n_envs: int = 1, seed: int | None = None) -> Agent:
    """Returns a trained agent, ready to play held-out levels of its task.

    Args:
        name: a run's folder, the folder of `calm hub pull`, or the name of a packaged agent.
        n_envs: environments that it plays in.
        seed: of the levels and of the actions; None for the run's own.

    Raises:
        UsageError: there is no such agent, or its files can't be read; nothing of them is executed.
    """
    return Agent(Run.open(agent_folder(name)), n_envs, seed)
