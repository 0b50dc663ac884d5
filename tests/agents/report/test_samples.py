"""Which judged transitions a report shows: one of each class, what went wrong first."""

from agents.report.samples import pick_samples
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
        "judge and truth differ",
        "take",
        "nothing achieved",
    ]
    assert samples[0].title == "judge and truth differ (a player-1, step 3, action: wait)"
    assert (samples[0].judged, samples[0].truth) == (["take"], ["open"])
    assert samples[2].text == "Step 0."
    assert [s.title for s in pick_samples(rows, answers, NAMES, "events", most=1)] == [
        samples[0].title
    ]
