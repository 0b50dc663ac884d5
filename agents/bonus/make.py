"""Finds a bonus by name: returns what builds it for a batch."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec

from calm.errors import UsageError, unknown
from envs.bonus.novelty import WAYS, MakeNovelty
from envs.bonus.protocol import Bonus, MakeBonus
from envs.credit.shaping import BatchCredit
from envs.stepping.batch import Batch

BONUSES = ("none", *WAYS, "rnd", "e3b")
"""What `calm train --bonus` takes."""
TUNED_WEIGHTS = {
    "novelty": 0.03,
    "novelty:message": 0.1,
    "novelty:cell": 0.01,
    "novelty:crop": 0.03,
    "novelty:relevant": 0.3,
    "rnd": 0.003,
    "e3b": 0.01,
}
"""The best weight of each bonus on the three tasks of `calm study rivals-tune`."""
OF_RND = ("torchrl", "tensordict")
"""What `rnd` needs beside what the others do."""


@dataclass(frozen=True)
class MakeLearned:
    """Builds `rnd` or `e3b`, see `agents.bonus.learned.LearnedBonus`."""

    name: str
    """`rnd` or `e3b`."""
    n_steps: int
    """Steps of the batch between two times of learning."""
    seed: int
    """Of its weights and of the order in which it learns."""

    @property
    def keys(self) -> tuple[str, ...]:
        """Observation keys that it reads."""
        from agents.bonus.learned import KEYS

        return KEYS

    def __call__(self, batch: Batch, credit: BatchCredit | None) -> Bonus:
        """Returns the bonus of one batch, which learns from that batch alone."""
        if self.name == "e3b":
            from agents.bonus.e3b import E3B

            return E3B(batch, self.n_steps, self.seed)
        from agents.bonus.rnd import RandomNetworkDistillation

        return RandomNetworkDistillation(batch, self.n_steps, self.seed)


def make_bonus(name: str, n_steps: int, seed: int) -> MakeBonus | None:
    """Returns what builds the bonus of this name; None for `none`.

    Args:
        name: one of `BONUSES`.
        n_steps: steps of the batch between two times that `rnd` and `e3b` learn.
        seed: of their weights.

    Raises:
        UsageError: no such bonus, or what it needs is not installed.
    """
    if name not in BONUSES:
        raise unknown("bonus", name, BONUSES)
    if name == "none":
        return None
    if name in WAYS:
        return MakeNovelty(name)
    missing = [package for package in OF_RND if find_spec(package) is None]
    if name == "rnd" and missing:
        raise UsageError(
            f"the bonus rnd needs {' and '.join(missing)}, not installed here: it comes with the"
            " extra `rnd`; run `pip install -e '.[rnd]'` in the clone, or take the bonus e3b or"
            " novelty, which need nothing more"
        )
    return MakeLearned(name, n_steps, seed)
