"""The outcome of a demo: figures of its judge and its agents, as JSON and as a few lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from agents.report.tables import Arm, percent, steps_to


@dataclass
class Outcome:
    """The figures of one demo, as `outcome.json` holds them."""

    judge: str
    transitions: int
    evaluation: dict[str, Any]
    """Of the judge, as `calm evaluate --json` gives a table."""
    agents: list[dict[str, Any]]
    """As `agent_figures` gives them, in the order of `verdict`."""
    asked: int
    """Distinct questions put to the judge, by evaluation and training together."""
    seconds: dict[str, float] = field(default_factory=dict)
    """Of wall time, by stage: collecting, judging, training."""
    report: str = ""
    """Path of the page."""
    plan: dict[str, Any] = field(default_factory=dict)
    """The fields of `DemoPlan`."""
    provenance: dict[str, str] = field(default_factory=dict)
    """Commit, machine, versions and start."""

    @property
    def naming_summary(self) -> str:
        """Returns in words how many subgoals the judge named; "" where they were given."""
        meanings = {k: v for m in self.evaluation["matches"].values() for k, v in m["of"].items()}
        if not meanings:
            return ""
        n_with_truth = sum(given is not None for given in meanings.values())
        return f"named {len(meanings)} subgoals, {n_with_truth} of them with a known truth; "

    def to_dict(self) -> dict[str, Any]:
        """Returns the fields as plain values."""
        return asdict(self)

    def lines(self) -> list[str]:
        """Returns the summary in eleven lines or fewer."""
        lines = [
            f"Judge {self.judge}: {self.naming_summary}{self.transitions} transitions labelled;"
            f" {self.asked} distinct questions asked in all."
        ]
        lines += [
            f"  {s['judge']:<12} MCC {_figure(s, 'mcc')}  precision {_figure(s, 'precision')}"
            f"  recall {_figure(s, 'recall')}  F1 {_figure(s, 'f1')}"
            for s in self.evaluation["scores"]
        ]
        lines += [
            f"  {a['label']:<26} success {percent(a['success']):>5} [{percent(a['low'])},"
            f" {percent(a['high'])}]  90 % at"
            f" {'not reached' if a['to_90'] is None else format(a['to_90'], ','):>11}"
            f"  {a['steps_per_s']:,.0f} steps/s"
            for a in self.agents
        ]
        lines.append(verdict(self.agents))
        lines.append(f"Report: {self.report} ({sum(self.seconds.values()):.0f} s in all)")
        return lines


def _figure(score: dict[str, Any], name: str) -> str:
    value = score["metrics"][name]["value"]
    return "  - " if value is None else f"{value:.2f}"


def verdict(agents: Sequence[dict[str, Any]]) -> str:
    """Returns the figures of the agents in a sentence or two.

    Args:
        agents: figures of the agent on MiniHack's reward, of the one without its penalty for idle
            steps, of the one paid for novelty and of the one paid credit, in this order.
    """
    own, fair, novelty, shaped = agents

    def reached(agent: dict[str, Any]) -> str:
        return "never" if agent["to_90"] is None else f"after {agent['to_90']:,} steps"

    sentence = (
        f"90 % success on held-out levels: with credit {reached(shaped)}, without credit"
        f" {reached(fair)}; paid for whatever is new, with no judge, {reached(novelty)}; without"
        f" credit and with MiniHack's penalty for idle steps {reached(own)}."
    )
    if fair["to_90"] is not None and own["to_90"] is None:
        sentence += " So here the penalty, not missing credit, is what stops the plain agent."
    return sentence


def agent_figures(arm: Arm) -> dict[str, Any]:
    """Returns an agent's figures at its last evaluation, and the first step with 90 % success."""
    metrics = arm.runs[0].metrics()
    last = metrics[-1]
    return {
        "label": arm.label,
        "reward": arm.reward,
        "steps": last["steps"],
        "success": last["success"],
        "low": last["success_low"],
        "high": last["success_high"],
        "episodes": last["episodes"],
        "to_90": steps_to(metrics, 0.9),
        "steps_per_s": last["steps"] / max(last["seconds"], 1e-9),
        "asked": last.get("asked"),
    }
