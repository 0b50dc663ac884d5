"""The plan of the study: what its arms differ in, and the paper's rows it names."""

from math import sqrt
from pathlib import Path

import pytest
from gymnasium.spaces import Dict

from agents.bench.encoder_table import observation_space
from agents.bonus.make import make_bonus
from agents.network.extractor import NetHackExtractor
from agents.study.plan import Cell
from agents.study.plans.load import load_plan
from agents.training.environment import credit_source_of, make_env, subgoals_of
from agents.training.settings.families import family_of
from calm.errors import UsageError
from calm.judges import asks_model
from calm.subgoals import read_subgoals
from data.evaluation.paper import PaperRow, paper_table
from envs.tasks import task

ROOT = Path(__file__).parents[3]
JUNK = "agents/study/levels/keyroom-s15-junk.yaml"
PLAN = load_plan("keyroom")
ASKING = {"judge", "form", "thresholds"}
FREE = {*ASKING, "subgoals", "shaping", "penalty", "weight", "bonus", "bonus_weight", "seed"}


def test_the_arms_of_a_task_differ_in_their_judge_and_reward_alone() -> None:
    for name in PLAN.tasks:
        configs = [PLAN.config(Cell(name, arm, 3)).model_dump() for arm in PLAN.arms]
        assert {c["seed"] for c in configs} == {3}
        for field in set(configs[0]) - FREE:
            assert all(c[field] == configs[0][field] for c in configs), field
        named = {arm: c["subgoals"] for arm, c in zip(PLAN.arms, configs, strict=True)}
        assert {arm for arm, subgoals in named.items() if subgoals != "given"} == {"own"}


def test_the_models_own_subgoals_are_in_the_clone_and_can_be_asked_of_lines() -> None:
    own, model = (PLAN.config(Cell("KeyRoom-S5", arm, 0)) for arm in ("own", "model"))
    assert own == model.model_copy(update={"subgoals": own.subgoals})
    subgoals = read_subgoals(ROOT / own.subgoals)
    assert len(subgoals) == 3
    assert all(s.statements for s in subgoals)


def test_arms_with_a_judge_observe_the_same_paid_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)  # where plans name files from
    spaces = {}
    for arm in PLAN.arms:
        config = PLAN.config(Cell("KeyRoom-S5", arm, 0))
        if asks_model(config.judge):  # whose weights need not be here
            config = config.model_copy(update={"judge": "rules", "form": "", "thresholds": {}})
        subgoals = subgoals_of(config)
        source = credit_source_of(config, subgoals)
        env = make_env(config, 1, source, subgoals, split="train", seed=0)
        spaces[arm] = env.observation_space
        env.close()
    judged, own = spaces.pop("told"), spaces.pop("own")
    unjudged = spaces.pop("fair")
    assert unjudged == spaces.pop("minihack") == spaces.pop("novelty")
    assert judged != unjudged  # by the progress alone
    assert Dict({k: v for k, v in judged.items() if k != "progress"}) == unjudged
    assert Dict({k: v for k, v in own.items() if k != "progress"}) == unjudged
    assert all(space == judged for space in spaces.values())
    truth, rules = (PLAN.config(Cell("KeyRoom-S5", arm, 0)) for arm in ("told", "rules"))
    assert truth == rules.model_copy(update={"weight": 0.0})


def test_the_fair_arm_differs_from_minihack_s_by_the_penalty_alone() -> None:
    own, fair = (PLAN.config(Cell("KeyRoom-S5", arm, 0)) for arm in ("minihack", "fair"))
    assert own == fair.model_copy(update={"penalty": True})
    assert not any(
        PLAN.config(Cell("KeyRoom-S5", a, 0)).penalty for a in PLAN.arms if a != "minihack"
    )


def test_all_subgoals_together_pay_the_same_in_every_mode() -> None:
    for name in PLAN.tasks:
        once = PLAN.config(Cell(name, "rules", 0))
        potential = PLAN.config(Cell(name, "potential", 0))
        subgoals = len(task(name).subgoals)
        assert potential.weight == pytest.approx(once.weight * subgoals)


def test_work_goes_seed_by_seed() -> None:
    cells = PLAN.cells(2, tasks=["KeyRoom-S15", "KeyRoom-S5"], arms=["rules", "fair"], first_seed=5)
    assert [str(c) for c in cells[:4]] == [
        "KeyRoom-S5/fair/seed5",
        "KeyRoom-S5/rules/seed5",
        "KeyRoom-S15/fair/seed5",
        "KeyRoom-S15/rules/seed5",
    ]
    assert [c.seed for c in cells] == [5] * 4 + [6] * 4
    assert len(PLAN.cells(3)) == 3 * len(PLAN.tasks) * len(PLAN.arms)


def correlation(row: PaperRow) -> float:
    """Matthews' coefficient that precision and recall give where two thirds are positive."""
    tp = 2 / 3 * row.recall
    fp = tp * (1 - row.precision) / row.precision
    fn, tn = 2 / 3 - tp, 1 / 3 - fp
    return (tp * tn - fp * fn) / sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))


def test_the_noisy_arms_are_the_paper_s_best_and_worst() -> None:
    rows = [r for r in paper_table() if r.annotator not in ("human", "random") and r.recall > 0]
    for arm, pick in (("noisy-best", max), ("noisy-worst", min)):
        row = pick(rows, key=correlation)
        spec = f"noisy:precision={row.precision:.2f},recall={row.recall:.2f}"
        assert PLAN.config(Cell("KeyRoom-S5", arm, 0)).judge == spec


def test_a_choice_that_is_none_is_named() -> None:
    with pytest.raises(UsageError, match="did you mean 'KeyRoom-S5'"):
        PLAN.cells(1, tasks=["KeyRoom-S4"])
    with pytest.raises(UsageError, match="unknown arm of the study keyroom 'rule'"):
        PLAN.cells(1, arms=["rule"])


@pytest.mark.parametrize("name", ["rivals", "rivals-tune"])
def test_the_arms_of_the_rivals_differ_in_what_pays_alone(name: str) -> None:
    plan = load_plan(name)
    judging = {"judge", "form", "thresholds", "descriptions"}
    paying = {"shaping", "weight", "bonus", "bonus_weight", "stall"}
    for room in plan.tasks:
        configs = {arm: plan.config(Cell(room, arm, 0)).model_dump() for arm in plan.arms}
        first, *others = configs.values()
        for field in set(first) - judging - paying:
            assert all(c[field] == first[field] for c in others), field
        assert all((c["stall"] > 0) == arm.endswith("-stall") for arm, c in configs.items())
        assert all(bool(c["form"]) == (arm == "model") for arm, c in configs.items())
        bonuses = [make_bonus(c["bonus"], c["n_steps"], c["seed"]) for c in configs.values()]
        assert sum(bonus is not None for bonus in bonuses) >= len(configs) // 2
        assert len({str(sorted(c.items())) for c in configs.values()}) == len(configs)


def test_every_arm_of_the_rivals_that_has_a_weight_is_tuned_by_the_same_budget() -> None:
    """Three weights, and the next smaller one where the least of them was best."""
    rivals, tune = load_plan("rivals"), load_plan("rivals-tune")
    for arm in rivals.arms:
        base = arm.removesuffix("-stall").removeprefix("told-")
        family = base.rsplit("-", 1)[0] if base in tune.arms else base
        tried = [one for one in tune.arms if one.rsplit("-", 1)[0] == family]
        if arm == "rules-novelty":
            tried = [one for one in tune.arms if "-novelty-" in one]
        weights = dict.fromkeys(("fair", "told", "truth", "model"), 0) | {
            "novelty": 4,
            "cell": 4,
            "novelty-v3": 4,
            "e3b": 5,
        }
        assert len(tried) == weights.get(family, 3), arm


@pytest.mark.parametrize("room", ["KeyRoom-S15", "KeyRoom-Dark-S15"])
def test_agents_without_memory_are_the_judged_ones_of_keyroom(room: str) -> None:
    """But for the steps of S15, which turned agents need fewer of."""
    memory = load_plan("memory")
    none = memory.config(Cell(room, "none", 2))
    rules = PLAN.config(Cell(room, "rules", 2))
    assert none == rules.model_copy(update={"steps": none.steps})
    assert memory.config(Cell(room, "lstm", 2)) == none.model_copy(update={"memory": "lstm"})


@pytest.mark.parametrize("room", ["KeyRoom-S15", "KeyRoom-Dark-S15"])
def test_agents_without_memory_that_are_turned_are_those_of_calm_train(room: str) -> None:
    """But for the rate, which falls, and how long and how often."""
    memory = load_plan("memory")
    turned = memory.config(Cell(room, "none-turned", 2))
    family = family_of(turned.task)
    for field, value in family.settings.items():
        if field not in ("steps", "eval_every"):
            assert getattr(turned, field) == (tuple(value) if field == "keys" else value), field
    assert turned.learning_rate_end == pytest.approx(turned.learning_rate / 10)
    stacked = memory.config(Cell(room, "stack-turned", 2))
    assert stacked == turned.model_copy(update={"memory": "stack", "window": 4})


@pytest.mark.parametrize(
    ("name", "rooms"),
    [("encoders", ["KeyRoom-S15", "KeyRoom-S5-level"]), ("semantics", ["KeyRoom-S15"])],
)
def test_encoders_are_compared_at_equal_weights(name: str, rooms: list[str]) -> None:
    """Within 1.8 hundredths of the CNN's; `semantics` can't see a whole level."""
    plan = load_plan(name)
    assert plan.by_seconds
    sizes: dict[str, dict[str, int]] = {}
    for cell in plan.cells(1, tasks=rooms):
        config = plan.config(cell)
        network = NetHackExtractor(
            observation_space(config, config.encoder),
            config.features_dim,
            config.encoder,
            encoder_options=config.encoder_options,
        )
        sizes.setdefault(cell.task, {})[cell.arm] = sum(p.numel() for p in network.parameters())
    for room, by_arm in sizes.items():
        assert set(by_arm) == set(plan.arms) - ({"semantics"} if "level" in room else set())
        for arm, size in by_arm.items():
            assert size == pytest.approx(by_arm["cnn"], rel=0.018), (room, arm)


@pytest.mark.parametrize("name", ["encoders", "semantics"])
def test_the_arms_of_the_encoders_differ_in_what_sees_alone(name: str) -> None:
    plan = load_plan(name)
    for room in plan.tasks:
        cells = [cell for cell in plan.cells(1) if cell.task == room]
        configs = [plan.config(cell).model_dump() for cell in cells]
        for field in set(configs[0]) - {"encoder", "encoder_options", "features_dim"}:
            assert all(c[field] == configs[0][field] for c in configs), field


@pytest.mark.parametrize("room", ["KeyRoom-S15", "KeyRoom-Dark-S15"])
@pytest.mark.parametrize(("arm", "of_encoders"), [("cnn", "cnn"), ("all", "semantics")])
def test_two_arms_of_the_semantics_are_those_of_the_encoders(
    room: str, arm: str, of_encoders: str
) -> None:
    config = load_plan("semantics").config(Cell(room, arm, 10))
    assert config == load_plan("encoders").config(Cell(room, of_encoders, 10))


def test_a_room_may_stand_in_a_plan_twice() -> None:
    plan = load_plan("encoders")
    level = plan.config(Cell("KeyRoom-S5-level", "agent", 1))
    assert (level.task, level.keys[0]) == ("MiniHack-KeyRoom-S5-v0", "glyphs")


def test_the_room_with_junk_has_the_rooms_own_subgoals() -> None:
    assert task(str(ROOT / JUNK)).subgoals == task("KeyRoom-S15").subgoals
    assert task(str(ROOT / JUNK)).goal == task("KeyRoom-S15").goal
