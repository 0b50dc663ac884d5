"""Judges of known quality: on play that they never saw, precision and recall are those given."""

from collections.abc import Sequence
from math import sqrt

import numpy as np
import pytest

from calm.errors import UsageError
from calm.records import Subgoal
from envs import make_vec
from envs.credit.noisy import TOLERANCE, NoisyStream, NoisyTruth, choose
from envs.players.make import PLAYERS, make_player
from envs.players.player import KEYS
from envs.stepping.batch import Batch
from envs.tasks import task as find_task
from envs.truth.reference_play import Frequencies, reference

TASK = find_task("KeyRoom-S5")
GOALS = tuple(Subgoal(name, f"{name}.") for name in "gh")

# 100 steps. g is achieved in 20 of them (events a, b, c), h in 10 (event c).
MET = Frequencies(
    ("a", "b", "c", "d", "e", "f"),
    np.array([5, 5, 10, 40, 30, 10]),
    np.array([[5, 0], [5, 0], [10, 10], [0, 0], [0, 0], [0, 0]]),
)


def play(
    noises: Sequence[NoisyTruth], steps: int, seed: int = 7, each: int = 2
) -> list[NoisyStream]:
    """Hears several judges of the same play: the players of the reference on training levels."""
    names = PLAYERS * each
    keys = tuple(dict.fromkeys((*KEYS, *NoisyTruth.keys)))
    with Batch(TASK.id, len(names), keys, split="train", seed=seed, workers=0) as batch:
        by_noise = [noise(batch, TASK.subgoals) for noise in noises]
        batch.observers += by_noise
        batch.reset()
        crew = [make_player(name, TASK.id) for name in names]
        chance = [np.random.default_rng([seed, i]) for i in range(len(crew))]
        for player, rng in zip(crew, chance, strict=True):
            player.begin(rng)
        for _ in range(steps):
            observations = [{key: batch.arrays[key][i] for key in KEYS} for i in range(len(crew))]
            actions = [player.act(s) for player, s in zip(crew, observations, strict=True)]
            _, terminated, truncated = batch.step(np.array(actions))
            for i in np.flatnonzero(terminated | truncated):
                crew[i].begin(chance[i])
    return by_noise


# --- the arithmetic ------------------------------------------------------------------------------


def test_false_alarms_by_hand() -> None:
    """P .5 and R .8: 16 and 8 true yeses, as many false ones, out of 80 and 90 steps of "no"."""
    rates = NoisyTruth(0.5, 0.8).false_rates(MET)
    assert rates.tolist() == pytest.approx([16 / 80, 8 / 90])
    assert NoisyTruth(1.0, 0.8).false_rates(MET).tolist() == [0, 0]


def test_wrong_events_fill_the_numbers_of_misses_and_false_alarms() -> None:
    # R 2/3: 10 of 30 achievements are missed. P .4 of 20 true yeses: 30 false ones, 20 of g and
    # 10 of h; the steps of "no" come in 40, 30 and 10 for g, and in 5 and 5 beside for h.
    occurrences = Frequencies(
        (*MET.texts, *"uvwxyz"),
        np.array([*MET.count, 5, 5, 5, 5, 5, 5]),
        np.concatenate([MET.achieved, np.zeros((6, 2), np.int64)]),
    )
    for seed in range(5):
        noise = NoisyTruth(0.4, 2 / 3, seed)
        mistakes = choose(noise, occurrences, GOALS)
        false = ((occurrences.count[:, None] - occurrences.achieved) * mistakes.invented).sum(0)
        assert (occurrences.achieved * mistakes.missed).sum() == 10
        assert false.tolist() == [20, 10]
        assert mistakes.quality(occurrences) == pytest.approx((0.4, 2 / 3))
    chosen = {
        choose(NoisyTruth(0.4, 2 / 3, s), occurrences, GOALS).missed.tobytes() for s in range(5)
    }
    assert len(chosen) > 1  # the seed decides which


def test_a_perfect_one_makes_no_mistake() -> None:
    mistakes = choose(NoisyTruth(1.0, 1.0), MET, GOALS)
    assert not mistakes.missed.any()
    assert not mistakes.invented.any()


def test_what_can_not_be_is_said() -> None:
    for precision, recall in ((0.0, 0.5), (0.5, 0.0), (1.1, 0.5), (0.5, float("nan"))):
        with pytest.raises(UsageError, match=r"above 0 and up to 1.*always-no"):
            NoisyTruth(precision, recall)
    with pytest.raises(UsageError, match="unknown way to be wrong 'day'"):
        NoisyTruth(0.5, 0.5, by="day")  # type: ignore[arg-type]
    # 20 true yeses of g at P .1 need 180 false ones, and g has 80 steps of "no".
    with pytest.raises(UsageError, match=r"least possible is 0\.200"):
        NoisyTruth(0.1, 1.0).false_rates(MET)
    with pytest.raises(UsageError, match=r"too few different events.*by=step"):
        choose(NoisyTruth(1.0, 0.9), MET, GOALS)  # 3 misses, and events of 5 and 10
    never = Frequencies(MET.texts, MET.count, np.zeros_like(MET.achieved))
    with pytest.raises(UsageError, match="ever achieved"):
        choose(NoisyTruth(0.5, 0.5), never, GOALS)


def test_it_is_fitted_to_texts_of_the_version_that_the_batch_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    versions = []

    def by_hand(task_id: str, subgoals: Sequence[Subgoal], descriptions: int = 1) -> Frequencies:
        versions.append(descriptions)
        return MET

    monkeypatch.setattr("envs.credit.noisy.reference", by_hand)
    for version in (1, 2):
        with Batch(TASK.id, 1, NoisyTruth.keys, workers=0, descriptions=version) as batch:
            NoisyTruth(1.0, 1.0)(batch, TASK.subgoals[:2])
    assert versions == [1, 2]


# --- on real play --------------------------------------------------------------------------------

QUALITIES = ((0.96, 0.32), (0.63, 0.53), (0.75, 0.93), (1.0, 1.0))


@pytest.mark.parametrize(
    "name", ["KeyRoom-S5", pytest.param("KeyRoom-Dark-S5", marks=[pytest.mark.slow])]
)
def test_every_seed_finds_an_order(name: str) -> None:
    """Of the first orders, some miss the paper's worst row by more than is allowed."""
    described = find_task(name)
    occurrences = reference(described.id, described.subgoals)
    for seed in range(12):
        mistakes = choose(NoisyTruth(0.57, 0.37, seed), occurrences, described.subgoals)
        assert mistakes.quality(occurrences) == pytest.approx((0.57, 0.37), abs=TOLERANCE)


@pytest.fixture(scope="module")
def by_noise() -> dict[tuple[str, float, float], NoisyStream]:
    noises = [NoisyTruth(p, r, 1, by) for by in ("event", "step") for p, r in QUALITIES]  # type: ignore[arg-type]
    streams = play(noises, steps=600)
    return {(s.noise.by, s.noise.precision, s.noise.recall): s for s in streams}


@pytest.mark.parametrize(("precision", "recall"), QUALITIES)
@pytest.mark.parametrize("by", ["step", "event"])
def test_measured_on_other_levels_it_is_as_good_as_it_was_said_to_be(
    by_noise: dict[tuple[str, float, float], NoisyStream], by: str, precision: float, recall: float
) -> None:
    stream = by_noise[by, precision, recall]
    achieved = int(stream.hits.sum() + stream.misses.sum())
    yeses = int(stream.hits.sum() + stream.false_alarms.sum())
    assert achieved > 1000
    # Four standard errors. By event, what counts is how often the wrong events come up here:
    # events come up together, in episodes, and the reference that chose them is a sample too.
    apart = 1.0 if by == "step" else 2.0
    assert stream.recall == pytest.approx(
        recall, abs=4 * apart * sqrt(recall * (1 - recall) / achieved) + 1e-9
    )
    # The rate of achievements itself differs from play to play, and the precision with it.
    assert stream.precision == pytest.approx(
        precision, abs=4 * apart * sqrt(precision * (1 - precision) / yeses) + 1e-9
    )


def test_by_step_every_subgoal_has_the_same_quality(
    by_noise: dict[tuple[str, float, float], NoisyStream],
) -> None:
    stream = by_noise["step", 0.63, 0.53]
    achieved = stream.hits + stream.misses
    error = np.sqrt(0.53 * 0.47 / achieved)
    assert (np.abs(stream.hits / achieved - 0.53) < 4 * error).all()
    yeses = stream.hits + stream.false_alarms
    assert (np.abs(stream.hits / yeses - 0.63) < 0.1).all()


def test_by_event_the_same_event_is_always_judged_the_same() -> None:
    answers: dict[tuple[str, bytes], set[bytes]] = {}
    keys = tuple(NoisyTruth.keys)
    with Batch(TASK.id, 3, keys, split="train", seed=1, workers=0) as batch:
        stream = NoisyTruth(0.63, 0.53)(batch, TASK.subgoals)
        batch.observers.append(stream)
        batch.reset()
        rng = np.random.default_rng(0)
        assert stream.events is not None
        for _ in range(500):
            batch.step(rng.integers(batch.n_actions, size=3))
            for i in range(3):
                text = stream.events.texts[stream.events.ids[i]]
                key = (text, stream.truth.achieved[i].tobytes())
                answers.setdefault(key, set()).add(stream.achieved[i].tobytes())
    assert all(len(different) == 1 for different in answers.values())
    assert stream.misses.sum() > 0
    assert stream.false_alarms.sum() > 0


def test_by_step_the_answer_hangs_on_level_and_step_alone() -> None:
    def answers(n_envs: int, seed: int) -> list[bytes]:
        keys = tuple(NoisyTruth.keys)
        with Batch(TASK.id, n_envs, keys, split="train", seed=0, workers=0) as batch:
            stream = NoisyTruth(0.63, 0.53, seed, "step")(batch, TASK.subgoals)
            batch.observers.append(stream)
            batch.reset()
            verdicts = []
            for step in range(60):
                batch.step(np.full(n_envs, step % 10))
                verdicts.append(stream.achieved[0].tobytes())
        return verdicts

    assert answers(1, 5) == answers(3, 5)
    assert answers(1, 5) != answers(1, 6)


def test_it_pays_through_make_vec() -> None:
    """A perfect one pays what the truth pays."""
    returns = []
    for judge in ("truth", NoisyTruth(1.0, 1.0)):
        vec = make_vec(TASK.id, 3, workers=0, judge=judge, seed=2)
        vec.reset()
        rng = np.random.default_rng(0)
        returns.append(
            [vec.step(rng.integers(10, size=3))[4]["credit"].tolist() for _ in range(200)]
        )
        vec.close()
    assert returns[0] == returns[1]
    assert np.sum(returns[0]) > 0


def test_a_subgoal_without_a_truth_is_named() -> None:
    with pytest.raises(UsageError, match="subgoal with a truth 'g'"):
        make_vec(TASK.id, 1, workers=0, judge=NoisyTruth(0.5, 0.5), subgoals=GOALS)
