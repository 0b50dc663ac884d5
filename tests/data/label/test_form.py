"""What the labelling page posts, and what no page sends."""

from pathlib import Path
from urllib.parse import urlencode

import pytest

from data.label.form import read_answer, read_undo
from data.label.session import PAGE, Session
from data.label.store import LabelStore
from tests.support.key_and_door import DOOR, KEY, TASK, key_and_door_rows


@pytest.fixture
def session(tmp_path: Path) -> Session:
    store = LabelStore(tmp_path / "l.sqlite")
    return Session("ann", key_and_door_rows(3), {TASK.id: TASK}, store, "set@1")


def _body(session: Session, *answers: str, **fields: str) -> bytes:
    values = {"id": session.rows[0].transition.id, "nonce": "n1", "seconds": "2.345"} | fields
    return urlencode([*values.items(), *(("answer", a) for a in answers)]).encode()


def test_an_answer_names_subgoals_in_their_order(session: Session) -> None:
    posted = read_answer(_body(session, DOOR.name, KEY.name, replaces="7"), session)
    label = posted.label
    assert (label.achieved, label.asked) == ((KEY.name, DOOR.name), (KEY.name, DOOR.name))
    assert (label.annotator, label.seconds, label.set, label.page) == ("ann", 2.35, "set@1", PAGE)
    assert label.reads == "screen"
    assert (posted.nonce, posted.replaces) == ("n1", 7)


def test_none_and_unsure_stand_alone(session: Session) -> None:
    assert read_answer(_body(session, ":none"), session).label.kind() == "none"
    assert read_answer(_body(session, ":unsure"), session).label.unsure
    with pytest.raises(ValueError, match="a subgoal, several, none or unsure"):
        read_answer(_body(session, ":none", KEY.name), session)


@pytest.mark.parametrize(
    ("answers", "fields", "reason"),
    [
        ((), {}, "a subgoal, several, none or unsure"),
        ((KEY.name, KEY.name), {}, "named twice"),
        ((":none",), {"id": "x"}, "no such transition: 'x'"),
        ((":none",), {"nonce": "n\n"}, "printable ASCII"),
        ((":none",), {"seconds": "nan"}, "expected a number from 0 to 86400"),
        ((":none",), {"replaces": "-1"}, "expected the number of an answer"),
        ((":none",), {"truth": "1"}, "unknown field 'truth'"),
    ],
)
def test_what_no_page_sends_is_refused(
    session: Session, answers: tuple[str, ...], fields: dict[str, str], reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        read_answer(_body(session, *answers, **fields), session)


def test_an_undo_may_name_the_answer_that_it_takes_back() -> None:
    assert read_undo(b"") is None
    assert read_undo(b"last=12") == 12
    with pytest.raises(ValueError, match="last is given 2 times"):
        read_undo(b"last=1&last=2")
    with pytest.raises(ValueError, match="the form cannot be read"):
        read_undo(b"\xff=1")
