"""The statements about answers: what each returns, in which order."""

from calm.endpoint.envelope import Call, Reply
from calm.records import Subgoal
from calm.store.question import Context, Question
from calm.store.store import Store

CONTEXT = Context("T", (Subgoal("a", "A."),), "m")


def _add(store: Store, *texts: str, sample: int = 0) -> None:
    questions = [Question(CONTEXT.key(text, sample), text, sample) for text in texts]
    store.record(CONTEXT, "http://e/v1", Call(1.0, 0.5, reply=Reply("{}")), questions)


def test_the_nearest_sample_is_by_number_and_none_where_the_text_is_new(store: Store) -> None:
    for sample in (1, 5):
        _add(store, "x", sample=sample)
    answers, number = store.tables.answers, store.context(CONTEXT)
    nearest = [answers.nearest_sample(number, "x", sample) for sample in (0, 2, 4, 9)]
    assert nearest == [1, 1, 5, 5]
    assert answers.nearest_sample(number, "y", 0) is None
    assert answers.most_samples(number) == 6


def test_texts_of_like_length_come_first(store: Store) -> None:
    _add(store, "xxxxx", "xx", "xxxxxxx")
    texts = store.tables.answers.texts_of_like_length(store.context(CONTEXT), 3, 2)
    assert texts == ["xx", "xxxxx"]


def test_whole_rows_go_on_after_the_last_by_call_and_item(store: Store) -> None:
    _add(store, "a", "b", "c")
    _add(store, "d")
    rows, last = [], (-1, -1)
    while block := store.tables.answers.whole_rows_after(*last, 2):
        rows += block
        last = block[-1][10], block[-1][11]
    assert [(row[8], row[10], row[11], row[12]) for row in rows] == [
        ("a", 1, 0, 3), ("b", 1, 1, 3), ("c", 1, 2, 3), ("d", 2, 0, 1),
    ]  # fmt: skip


def test_replies_come_by_task_in_the_order_in_which_they_were_drawn(store: Store) -> None:
    for task, sample in (("T2", 0), ("T1", 1), ("T1", 0)):
        context = Context(task, (), "m", template="names", kind="decompose")
        question = Question(context.key("Which?", sample), "Which?", sample)
        store.record(context, "", Call(1.0, 0.5, reply=Reply(f"{task} {sample}")), [question])
    _add(store, "Which?")
    replies = store.tables.answers.replies("m", "names")
    assert [(task, reply.text) for task, reply in replies] == [
        ("T1", "T1 0"), ("T1", "T1 1"), ("T2", "T2 0"),
    ]  # fmt: skip
    assert store.tables.answers.replies("other", "names") == []


def test_orphans_are_counted_by_table(store: Store) -> None:
    _add(store, "a", "b")
    assert store.tables.answers.orphans() == {"calls": 0, "contexts": 0, "texts": 0}
    store.database.execute("DELETE FROM texts WHERE text = 'a'")
    assert store.tables.answers.orphans() == {"calls": 0, "contexts": 0, "texts": 1}
