"""Which judged transitions a report shows: one of each class, what went wrong first."""

from pathlib import Path

from agents.report.page import Report
from agents.report.samples import LONGEST, pick_samples
from calm.records import Judgement, LabelledTransition, Screen, Transition, Verdict

SCREEN = Screen("\n".join([" " * 80] * 24), "\n".join(["7" * 80] * 24))
NAMES = ["take", "open"]


def row(step: int, *achieved: str, screens: bool = True) -> LabelledTransition:
    texts = {"events": f"Step {step}."}
    return LabelledTransition(
        Transition("Room-v0", texts, "wait", "a player-1", step, False, False),
        {name: name in achieved for name in NAMES},
        {},
        SCREEN if screens else None,
        SCREEN if screens else None,
    )


def test_one_of_each_class_and_what_went_wrong_first() -> None:
    rows = [row(0), row(1), row(2, "take"), row(3, "open"), row(4, "open", screens=False)]
    truth = Judgement(Verdict.OK, dict.fromkeys(NAMES, False))
    answers = {r.transition.id: truth for r in rows[:2]}
    answers[rows[2].transition.id] = Judgement(Verdict.OK, {"take": True, "open": False})
    answers[rows[3].transition.id] = Judgement(Verdict.OK, {"take": True, "open": False})
    samples = pick_samples(rows, answers, NAMES, "events")
    assert [s.title.split(" (")[0] for s in samples] == [
        "judge and truth differ: missed",
        "take",
        "nothing achieved",
    ]
    assert samples[0].title == "judge and truth differ: missed (a player-1, step 3, action: wait)"
    assert (samples[0].judged, samples[0].truth) == (["take"], ["open"])
    assert samples[2].text == "Step 0."
    assert [s.title for s in pick_samples(rows, answers, NAMES, "events", most=1)] == [
        samples[0].title
    ]


def test_a_models_words_stand_beside_what_the_engine_says(tmp_path: Path) -> None:
    rows = [row(0), row(1, "take"), row(2, "open"), row(3)]
    words = "take: Yes (<b>Step</b> 1.)\x1b[31m\nopen: No"
    sure = Judgement(Verdict.OK, {"take": True, "open": False}, {"take": 0.914, "open": 0.3}, words)
    broken = Judgement(Verdict.INVALID, raw="x" * (LONGEST + 5), reason="no JSON")
    answers = dict.fromkeys([r.transition.id for r in rows[:3]], sure)
    answers[rows[3].transition.id] = broken
    samples = pick_samples(rows, answers, NAMES, "events")
    assert [s.title.split(" (")[0] for s in samples] == [
        "judge and truth differ: false alarm",
        "judge and truth differ: missed",
        "judge and truth differ: invalid",
        "take",
    ]
    false_alarm, _, unreadable, right = samples
    assert false_alarm.odds is not None
    assert list(false_alarm.odds.rows) == [
        ("take", "0.91", "yes", "no"),
        ("open", "0.30", "no", "no"),
    ]
    assert right.odds is not None
    assert right.odds.rows[0] == ("take", "0.91", "yes", "yes")
    assert unreadable.unreadable == "invalid: no JSON"
    assert unreadable.words == "x" * LONGEST + " ..."
    page = Report("T", samples=samples).write(tmp_path / "page.html").read_text("utf-8")
    assert "take: Yes (&lt;b&gt;Step&lt;/b&gt; 1.)\nopen: No" in page
    assert "\x1b" not in page
    assert "Judged: unreadable (invalid: no JSON)" in page


def test_a_name_of_the_models_own_is_held_to_the_truth_that_it_means() -> None:
    said = Judgement(Verdict.OK, {"grab": True, "sing": True}, {"grab": 0.9, "sing": 0.8}, "words")
    rows = [row(0), row(1, "take")]
    answers = dict.fromkeys([r.transition.id for r in rows], said)
    meanings = {"grab": "take", "sing": None}
    wrong, right = pick_samples(rows, answers, list(meanings), "events", meanings=meanings)
    assert wrong.title.startswith("judge and truth differ: false alarm")
    assert right.title.startswith("take")
    assert right.odds is not None
    assert right.odds.rows[1] == ("sing", "0.80", "yes", "not known")
