"""A judge is built from its name, and a wrong name says what would be right."""

import math

import pytest

from calm.errors import EndpointError, UsageError
from calm.judges import make_judge, reads_store
from calm.judges.protocol import Judge, RemoteJudge
from calm.store.store import Store


@pytest.mark.parametrize("spec", ["rules", "always-yes", "always-no", "random", "random:0.25"])
def test_a_judge_is_built_from_its_name_and_named_by_it(spec: str) -> None:
    judge = make_judge(spec)
    assert isinstance(judge, Judge)
    assert judge.name == spec
    assert judge.mode == "events"


@pytest.mark.parametrize(
    ("spec", "reason"),
    [("rule", "did you mean 'rules'"), ("oracle", "replay:MODEL"), ("random:x", "probability"),
     ("random:2", r"\[0, 1\]"), ("openai:", "name the model"), ("replay", "store")],
)  # fmt: skip
def test_a_wrong_name_says_what_would_be_right(spec: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        make_judge(spec)


def test_answers_of_models_are_in_a_store_and_no_others() -> None:
    """Also where they are asked for again, and where a student learns from them."""
    judges = ("openai:m", "local:m", "replay", "replay:m", "student:openai:m", "student@.9:replay")
    assert all(map(reads_store, judges))
    assert not any(map(reads_store, ("none", "truth", "rules", "random", "student:rules")))


def test_a_wrong_mode_or_option_names_the_valid() -> None:
    with pytest.raises(UsageError, match="crop, events, screen"):
        make_judge("rules", mode="sound")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="did you mean 'per_request'"):
        make_judge("openai:m", base_url="http://127.0.0.1:9/v1", per_requests=3)


@pytest.mark.parametrize("option", [{"timeout": math.nan}, {"deadline": math.nan}, {"timeout": 0}])
def test_times_are_positive_numbers(option: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="positive numbers of seconds"):
        make_judge("openai:m", base_url="http://127.0.0.1:9/v1", **option)


def test_a_judge_is_remote_if_it_asks_an_endpoint(store: Store) -> None:
    assert isinstance(make_judge("openai:m", base_url="http://127.0.0.1:9/v1"), RemoteJudge)
    assert not isinstance(make_judge("rules"), RemoteJudge)
    assert not isinstance(make_judge("random"), RemoteJudge)


def test_without_a_key_openai_itself_cannot_be_asked() -> None:
    with pytest.raises(EndpointError, match="OPENAI_API_KEY"):
        make_judge("openai:gpt-5-mini")
