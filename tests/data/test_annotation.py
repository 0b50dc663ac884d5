"""One judge's answers about a whole set."""

from pathlib import Path

import pytest

from calm.errors import UsageError
from data.annotation import AnnotationPlan, annotate_set, plan_cost
from tests.support.key_and_door import key_and_door_set


def _plan(tmp_path: Path, **more: object) -> AnnotationPlan:
    data = str(key_and_door_set(tmp_path / "t.parquet"))
    values = {"judge": "always-yes", "data": data, "store": tmp_path / "s.sqlite"} | more
    return AnnotationPlan(**values)  # type: ignore[arg-type]


def test_every_row_gets_an_answer(tmp_path: Path) -> None:
    annotated = annotate_set(_plan(tmp_path))
    assert len(annotated.answers) == len({row.id for row in annotated.answers}) == 24
    assert {row.judge for row in annotated.answers} == {"always-yes"}
    assert all(all(row.judgement.achieved.values()) for row in annotated.answers)
    assert annotated.stopped is None
    assert [s.transitions for s in annotated.summaries] == [24]


def test_a_limit_keeps_the_shares_of_classes(tmp_path: Path) -> None:
    assert len(annotate_set(_plan(tmp_path, limit=6)).answers) == 6


def test_what_would_be_asked_of_a_model_is_told(tmp_path: Path) -> None:
    options = {"per_request": 5}
    plan = _plan(tmp_path, judge="openai:m", base_url="http://127.0.0.1:9/v1", options=options)
    (cost,) = plan_cost(plan).values()
    assert (cost.transitions, cost.new, cost.requests) == (24, 24, 5)
    with pytest.raises(UsageError, match="this judge costs nothing"):
        plan_cost(_plan(tmp_path))


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"mode": "map"}, "unknown description 'map'"),
        ({"part": "half"}, "unknown part 'half'"),
        ({"options": {"samples": 3}}, "--samples: a model takes that"),
    ],
)
def test_what_is_not_there_is_refused(tmp_path: Path, more: dict[str, object], reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        annotate_set(_plan(tmp_path, **more))
