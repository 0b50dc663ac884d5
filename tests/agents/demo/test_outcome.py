"""The outcome of a demo in a few lines: what the figures say, and no more."""

from agents.demo.outcome import Outcome, verdict


def agent(to_90: int | None) -> dict:
    return {"to_90": to_90}


def test_the_verdict_says_what_the_figures_say() -> None:
    sentence = verdict([agent(None), agent(3000), agent(2500), agent(2000)])
    assert "with credit after 2,000 steps, without credit after 3,000 steps" in sentence
    assert "paid for whatever is new, with no judge, after 2,500 steps" in sentence
    assert "the penalty, not missing credit" in sentence
    sentence = verdict([agent(5000), agent(None), agent(0), agent(None)])
    assert "with credit never" in sentence
    assert "with no judge, after 0 steps" in sentence
    assert "the penalty" not in sentence.split(".")[1]
    sentence = verdict([agent(None), agent(0), agent(None), agent(0)])
    assert "with credit after 0 steps, without credit after 0 steps" in sentence
    assert "with no judge, never" in sentence
    assert "the penalty, not missing credit" in sentence


def test_the_lines_name_the_judge_the_agents_and_the_report() -> None:
    figures = {"success": 0.95, "low": 0.9, "high": 0.98, "to_90": 2000, "steps_per_s": 1234.5}
    score = {"judge": "m", "metrics": {n: {"value": 0.5} for n in ("mcc", "precision", "recall")}}
    score["metrics"]["f1"] = {"value": None}
    outcome = Outcome(
        judge="openai:m",
        transitions=40,
        evaluation={
            "matches": {"t": {"of": {"grab it": "take it", "sing": None}}},
            "scores": [score],
        },
        agents=[{"label": f"agent {i}", **figures} for i in range(4)],
        asked=7,
        seconds={"judging": 1.5, "training": 2.5},
        report="out/report.html",
    )
    first, judge, *agents, _, last = outcome.lines()
    assert first == (
        "Judge openai:m: named 2 subgoals, 1 of them with a known truth; 40 transitions labelled;"
        " 7 distinct questions asked in all."
    )
    assert judge.split() == ["m", "MCC", "0.50", "precision", "0.50", "recall", "0.50", "F1", "-"]
    assert agents[0].split("  ")[-1] == "1,234 steps/s"
    assert last == "Report: out/report.html (4 s in all)"
