"""Settings that were named and would change nothing are refused."""

from typing import Any

import pytest

from agents.training.settings.config import TrainConfig, make_config, settings
from agents.training.settings.idle import OF_JUDGE, refuse_idle
from calm.errors import UsageError

LATER = {"judge": "openai:any", "ask": "later"}
WINDOW = {"encoder": "semantics", "window": 5}


@pytest.mark.parametrize(
    ("name", "idle", "at_work"),
    [
        *((name, {"judge": "none"}, LATER) for name in OF_JUDGE),
        ("most_pending", {}, {"ask": "later"}),
        ("patience", {"judge": "rules"}, {"judge": "openai:any"}),
        ("patience", {"judge": "local:any"}, {"judge": "openai:any"}),
        ("crop", {"keys": ["glyphs", "blstats"]}, {}),
        ("weight_end", {"shaping": "potential"}, {"shaping": "every"}),
        ("bonus_weight", {"bonus": "none"}, {"bonus": "novelty"}),
        ("stall", {"judge": "none"}, {"judge": "none", "bonus": "novelty"}),
        ("stall", {"bonus": "rnd"}, {"bonus": "novelty"}),
        ("stall", {"judge": "none", "bonus": "e3b"}, {}),
        ("window", {}, {"memory": "stack"}),
        ("window", {"memory": "lstm"}, WINDOW),
        ("values_train_memory", {"memory": "stack"}, {"memory": "lstm"}),
        ("schedule_steps", {}, {"ent_coef_end": 0.0}),
    ],
)
def test_a_setting_without_what_it_is_of_is_refused(
    name: str, idle: dict[str, Any], at_work: dict[str, Any]
) -> None:
    refuse_idle({name: 5}, [make_config(at_work)])
    with pytest.raises(UsageError, match=f"^{name} would change nothing: .*or leave it out"):
        refuse_idle({name: 5}, [make_config(idle)])
    refuse_idle({name: 5}, [make_config(idle), make_config(at_work)])  # it does something in one
    with pytest.raises(UsageError, match=f"^{name} would change nothing in any of these runs: "):
        refuse_idle({name: 5}, [make_config(idle)] * 2)
    refuse_idle({name: 5}, [])


@pytest.mark.parametrize("off", [0, None, "none", False])
def test_what_is_named_as_off_may_be_so_anywhere(off: object) -> None:
    refuse_idle({"stall": off, "weight": off}, [make_config({"judge": "none"})])


def test_every_other_setting_may_be_named() -> None:
    everywhere = {one.name for one in settings()} - {"bonus_weight", "window"}
    everywhere -= {"values_train_memory", "schedule_steps", "most_pending", "patience"}
    refuse_idle(dict.fromkeys(everywhere, 5), [TrainConfig()])
