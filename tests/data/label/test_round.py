"""A labelling round: who labels which rows of a set."""

from pathlib import Path

import pytest

from calm.errors import UsageError
from data.judgements import write_judgements
from data.label.round import LabellingRound, session_of, write_pages
from data.label.store import LabelStore
from data.schema import JudgedTransition
from tests.support.key_and_door import KEY, key_and_door_rows, key_and_door_set, says


@pytest.fixture
def data(tmp_path: Path) -> str:
    return str(key_and_door_set(tmp_path / "t.parquet"))


def test_the_people_of_a_round_share_its_rows(data: str, tmp_path: Path) -> None:
    sizes = []
    with LabelStore(tmp_path / "l.sqlite") as store:
        for name in ("ann", "bob", "cat"):
            plan = LabellingRound(data, people="ann,bob,cat", overlap=2, annotator=name)
            session = session_of(plan, store)
            assert session.set_version.startswith("t@")
            sizes.append(len(session.order))
        assert sizes == [16, 16, 16]
        alone = session_of(LabellingRound(data, annotator="dan", limit=5), store)
        assert len(alone.order) == 5
        with pytest.raises(UsageError, match="unknown annotator of this round 'dan'"):
            session_of(LabellingRound(data, people="ann,bob", annotator="dan"), store)


def test_what_judges_differ_on_comes_first(data: str, tmp_path: Path) -> None:
    rows = key_and_door_rows()
    answers = [
        JudgedTransition(row.transition.id, judge, "events", says(*names))
        for i, row in enumerate(rows)
        for judge, names in (("a", ()), ("b", (KEY.name,) if i in (4, 9) else ()))
    ]
    write_judgements(tmp_path / "a.parquet", answers)
    plan = LabellingRound(
        data, limit=2, sample="disputed", answers=(tmp_path / "a.parquet",), annotator="ann"
    )
    with LabelStore(tmp_path / "l.sqlite") as store:
        session = session_of(plan, store)
    assert {r.transition.step for r in session.order} == {4, 9}


def test_a_page_is_written_for_each(data: str, tmp_path: Path) -> None:
    written = write_pages(LabellingRound(data, people="ann,bob", overlap=1), tmp_path / "round")
    assert written == [
        (tmp_path / "round" / "ann.html", 12),
        (tmp_path / "round" / "bob.html", 12),
    ]
    assert all(path.is_file() for path, _ in written)
    with pytest.raises(UsageError, match=r"writes an \.html file"):
        write_pages(LabellingRound(data), tmp_path / "page.txt")
