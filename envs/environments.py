"""Makes MiniHack's tasks as environments of Gymnasium and stable-baselines3: `make`, `make_vec`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, overload

from calm.credit import CreditMode
from calm.errors import UsageError, unknown
from calm.records import Subgoal, Task
from calm.tasks import is_task_file
from envs.interfaces.episodes import Episodes
from envs.interfaces.gym_env import GymEnv
from envs.interfaces.gym_vec import GymVec
from envs.stepping.batch import Batch
from envs.tasks import environment_of
from envs.tasks import task as find_task

if TYPE_CHECKING:
    from envs.bonus.protocol import MakeBonus
    from envs.credit.sources import SourceChoice
    from envs.interfaces.sb3_vec import Sb3Vec

KEYS = ("glyphs_crop", "blstats", "message", "inv_glyphs")
"""Observation keys by default."""


def make(task: str | Task, **settings: Any) -> GymEnv:
    """Makes one MiniHack environment as a `gymnasium.Env`.

    Args:
        task: as for `make_vec`.
        **settings: as for `make_vec`, without `kind` and `copy`.

    Raises:
        UsageError, GameError, TypeError: as `make_vec`.
    """
    values = _Settings(copy=False, **settings)  # the environment copies its one row
    return GymEnv(_episodes(task, 1, values), values.split)


@overload
def make_vec(
    task: str | Task, n_envs: int, *, kind: Literal["gym"] = "gym", **settings: Any
) -> GymVec: ...


@overload
def make_vec(task: str | Task, n_envs: int, *, kind: Literal["sb3"], **settings: Any) -> Sb3Vec: ...


def make_vec(
    task: str | Task, n_envs: int, *, kind: str = "gym", **settings: Any
) -> GymVec | Sb3Vec:
    """Makes many MiniHack environments that are stepped together, with automatic reset.

    Args:
        task: "MiniHack-KeyRoom-S5-v0" or any other MiniHack id, "KeyRoom-S5" for short; a YAML file
            that describes a task of one's own; or a task of `envs.tasks`.
        n_envs: B >= 1.
        kind: "gym" for a `gymnasium.vector.VectorEnv`, "sb3" for a stable-baselines3 `VecEnv`.
        split: level seeds to play, "train", "test" or "data"; the three never meet.
        seed: of the streams of level seeds; same seed, same levels in every environment, whatever
            the number of workers.
        keys: observation keys, see `envs.stepping.batch.KEYS`.
        crop: odd size of the `*_crop` keys.
        penalty: False leaves MiniHack's -0.01 for steps in which no game time passes out of the
            reward.
        judge: a `calm.annotation.live.Annotator`, or "truth", or a function (batch, subgoals) that
            builds an achievement source; None for the plain reward.
        subgoals: that pay; by default the annotator's or the task's given ones.
        shaping: "once", "every" or "potential", see `calm.credit`.
        weight: of the credit in the reward.
        gamma: the agent's discount; "potential" needs it.
        bonus: pays beside reward and credit, with or without a judge: one of
            `envs.bonus.novelty.WAYS`, such as "novelty", or a function (batch, credit) that builds
            an `envs.bonus.protocol.Bonus`.
        bonus_weight: of the bonus in the reward.
        progress: with a judge, offer the observation "progress" (B, G).
        window: offer the last so many steps too, for encoders that look back, see
            `envs.interfaces.history`.
        copy: False hands out the batch's own arrays, which the next step overwrites ("gym" only:
            SB3 keeps observations across steps).
        extra_keys: keys of `batch.arrays` for observers, beside `keys`; no observations.
        options: keyword arguments of the MiniHack class.
        workers: processes that play the games; 0 plays them in this one, None takes one a core.
        descriptions: version of the `events` text that judges and bonuses read, see
            `envs.events.words.VERSIONS`.
        stall: an episode is cut with the step so many after the last that paid credit or a bonus,
            or after its beginning; 0 for no such end, and none where nothing could pay.

    Raises:
        UsageError: a task, key, judge, bonus or kind that there is none of, a value out of range,
            or stable-baselines3 is not installed.
        GameError: the level does not compile.
        TypeError: a setting of another name.
    """
    values = _Settings(**settings)
    if kind == "gym":
        return GymVec(_episodes(task, n_envs, values), values.split)
    if kind != "sb3":
        raise unknown("kind of vector environment", kind, ("gym", "sb3"))
    if not values.copy:
        raise UsageError("SB3 keeps observations across steps; copy=False would change them")
    try:
        from envs.interfaces.sb3_vec import Sb3Vec
    except ModuleNotFoundError as error:
        raise UsageError(
            'kind="sb3" needs stable-baselines3; install the extra [agents]'
        ) from error
    return Sb3Vec(_episodes(task, n_envs, values), values.split)


@dataclass(frozen=True, kw_only=True)
class _Settings:
    """The settings of `make_vec`, whose docstring says what each is."""

    split: str = "train"
    seed: int = 0
    keys: Sequence[str] = KEYS
    crop: int = 9
    penalty: bool = True
    judge: SourceChoice | None = None
    subgoals: Sequence[Subgoal] | None = None
    shaping: CreditMode = "once"
    weight: float = 0.5
    gamma: float = 0.99
    bonus: str | MakeBonus | None = None
    bonus_weight: float = 0.1
    progress: bool = True
    window: int = 0
    copy: bool = True
    extra_keys: Sequence[str] = ()
    options: Mapping[str, Any] | None = None
    workers: int | None = None
    descriptions: int = 1
    stall: int = 0


def _episodes(task: str | Task, n_envs: int, settings: _Settings) -> Episodes:
    """Returns a batch of B games of a task, with what pays in it, before its first reset."""
    if settings.judge is not None:
        # A plain reward needs none of it.
        from calm.annotation.live import Annotator
        from envs.credit.shaping import BatchCredit
        from envs.credit.sources import keys_of
    bonus = settings.bonus
    if isinstance(bonus, str):
        from envs.bonus.novelty import MakeNovelty

        bonus = MakeNovelty(bonus)
    if isinstance(task, str) and is_task_file(task):
        task = find_task(task)
    environment, own_options = environment_of(task)
    paying_keys = () if settings.judge is None else keys_of(settings.judge)
    bonus_keys = () if bonus is None else bonus.keys
    batch = Batch(
        environment,
        n_envs,
        settings.keys,
        extra_keys=(*settings.extra_keys, *paying_keys, *bonus_keys),
        crop=settings.crop,
        penalty=settings.penalty,
        split=settings.split,
        seed=settings.seed,
        options={**own_options, **(settings.options or {})},
        workers=settings.workers,
        descriptions=settings.descriptions,
    )
    try:
        credit, subgoals = None, settings.subgoals
        if settings.judge is not None:
            if (
                subgoals is None
                and isinstance(task, Task)
                and not isinstance(settings.judge, Annotator)
            ):
                subgoals = task.subgoals
            credit = BatchCredit(
                batch, settings.judge, subgoals, settings.shaping, settings.weight, settings.gamma
            )
        source = None if bonus is None else bonus(batch, credit)
        return Episodes(
            batch,
            credit,
            settings.progress,
            settings.copy,
            settings.window,
            source,
            settings.bonus_weight,
            settings.stall,
        )
    except BaseException:
        batch.close()
        raise
