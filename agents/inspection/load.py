"""Loads a run's agent, with held-out levels and the judge that the run had.

No language model is asked: its answers are those that the run itself got (`judged.json`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from torch import Tensor

from agents.training.agent import make_ppo
from agents.training.credit_source import CreditSource, make_credit_source
from agents.training.environment import make_env, subgoals_of_run
from agents.training.run.folder import Run
from calm.annotation.live import Annotator
from calm.errors import UsageError
from calm.judges import reads_store
from calm.judges.protocol import Immediate
from calm.records import Judgement, Mode, Subgoal, Task, Transition, Verdict
from envs.interfaces.sb3_vec import Sb3Vec


class Trained(NamedTuple):
    """A trained agent with the environments that it plays."""

    model: OnPolicyAlgorithm
    """With the weights of the checkpoint."""
    env: Sb3Vec
    """B environments of held-out levels."""
    subgoals: Sequence[Subgoal]
    """That pay; none without a judge."""
    steps: int
    """For which it has been trained."""


@contextmanager
def trained(
    run: Run, n_envs: int, seed: int, *, keys: Sequence[str] = (), extra_keys: Sequence[str] = ()
) -> Iterator[Trained]:
    """Yields a run's agent and B environments of held-out levels.

    Args:
        run: with a checkpoint, or the policy of one.
        n_envs: B.
        seed: of the levels.
        keys: observed beside those that the agent sees.
        extra_keys: what observers of the batch read.

    Raises:
        UsageError: the run has neither, or the weights are of another network.
    """
    config = run.config
    weights, steps = run.load_policy()
    subgoals = subgoals_of_run(run)
    env = make_env(
        config.model_copy(update={"keys": (*config.keys, *keys)}),
        n_envs,
        recalled_source(run, subgoals),
        subgoals,
        split="test",
        seed=seed,
        extra_keys=extra_keys,
    )
    try:
        played = config.model_copy(update={"n_envs": n_envs, "minibatches": 1})
        model = make_ppo(played, env, learns=False)
        _load_weights(model, weights, run)
        model.policy.set_training_mode(False)
        env.seed(seed)  # an agent that is made seeds its environments by the run's own
        yield Trained(model, env, subgoals, steps)
    finally:
        env.close()


def _load_weights(model: OnPolicyAlgorithm, weights: Mapping[str, Tensor], run: Run) -> None:
    """Puts weights into a policy.

    Raises:
        UsageError: they are not those of the network that the run's settings make.
    """
    try:
        model.policy.load_state_dict(weights)
    except RuntimeError as error:
        first = str(error).splitlines()[-1].strip()
        raise UsageError(
            f"{run.folder}: the weights do not fit its config.yaml: one of the two is another"
            f" run's, or was changed ({first})"
        ) from None


def recalled_source(run: Run, subgoals: Sequence[Subgoal]) -> CreditSource:
    """Returns the source of a run's credit, a language model replaced by its stored answers."""
    config = run.config
    task = config.described
    if reads_store(config.judge):
        return Annotator(SavedJudge(config.judge, run.judged()), task, subgoals)
    return make_credit_source(config.judge, task, subgoals, seed=config.seed)


class SavedJudge(Immediate):
    """A judge that repeats a run's stored answers; about other texts it has none.

    Args:
        name: of the judge that gave them.
        judged: by text the subgoals that it achieved, None where unreadable.
    """

    mode: Mode = "events"

    def __init__(self, name: str, judged: Mapping[str, Sequence[str] | None]) -> None:
        self.name = name
        self.judged = judged

    def judge(
        self, task: Task, subgoals: Sequence[Subgoal], transitions: Sequence[Transition]
    ) -> list[Judgement]:
        """Returns one judgement for each transition, in the same order."""
        return [self._one(t.texts[self.mode], subgoals) for t in transitions]

    def _one(self, text: str, subgoals: Sequence[Subgoal]) -> Judgement:
        """Returns the judgement of one text."""
        achieved = self.judged.get(text)
        if achieved is None:
            return Judgement(Verdict.INVALID, reason="the run has no answer about this")
        return Judgement(Verdict.OK, {s.name: s.name in achieved for s in subgoals})
