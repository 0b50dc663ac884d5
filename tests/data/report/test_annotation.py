"""What an annotation did, or would cost, in one line."""

from calm.annotation.many import Summary
from calm.asking.estimate import Plan
from calm.records import Usage
from data.report.annotation import describe_plans, describe_summary

NEW = Plan(9, 5, 2, 3, 2, 1200, 120, 0.5, 0.25, 3725.2)
OLD = Plan(4, 4, 4, 0, 0, 0, 0, 0.0, None, 0.0)


def test_plans_are_described_and_added_up() -> None:
    new, old, total = describe_plans({"A": NEW, "B": OLD})
    assert new == (
        "A: 9 transitions, 5 questions, 2 answered, 3 to ask in 2 requests; about 1,320 tokens,"
        " cost US$ 0.5000, about 1:02:06 at the speed of earlier answers; paid so far US$ 0.2500"
    )
    assert old == (
        "B: 4 transitions, 4 questions, 4 answered: nothing to ask; paid so far price unknown"
        " (see --prices)"
    )
    assert total.startswith("all: 13 transitions, 9 questions, 6 answered, 3 to ask in 2 requests")
    assert describe_plans({"A": NEW}) == [new]


def test_a_summary_tells_what_was_asked_and_what_was_not() -> None:
    summary = Summary("openai:m", "A", 10, questions=8, hits=3, asked=4, seconds=1.26)
    summary.verdicts, summary.unasked = {"ok": 7, "error": 3}, 2
    summary.failures, summary.cut_prompts = {"429": 5}, 1
    summary.usage, summary.paid = Usage(9, 100, 0, 20, cost=0.5), Usage(12, 200, 0, 40, cost=None)
    assert describe_summary(summary) == (
        "openai:m on A: 10 transitions, 8 questions, 3 from the store, 4 asked now in 1.3 s;"
        " 7 ok, 2 not asked, 1 error; prompts that the server cut: 1; attempts that failed: 5 429;"
        " now 9 requests, 120 tokens, US$ 0.5000; in all, with earlier runs, 12 requests,"
        " 240 tokens, price unknown (see --prices)"
    )
