"""Finds for each subgoal of a model's own the line of a description that tells of it.

A model names its subgoals in its words, and descriptions have theirs. Asked whether a line says
"the hero opens the locked door", a small model is unsure even of "A closed door is open now.", but
of that line it is surer than of others, and of it surer than that it says another subgoal. So it is
asked once which lines its subgoals mean, and from then on about those lines' own words.

Which lines could be meant is seen in play, without any truth: a subgoal that leads to the goal is
achieved about once an episode, and in most of the episodes that reach the goal.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from calm.asking.form import lines_of
from calm.asking.prompt import CLAUSE_TEMPLATE, clause_prompt
from calm.endpoint.envelope import Reply
from calm.errors import CalmError, UsageError
from calm.judges.protocol import RemoteJudge
from calm.open_question import OpenQuestion, first_usable
from calm.records import Subgoal, Task, Transition
from calm.store.store import Store
from calm.subgoals import clause_of

MOST_AN_EPISODE = 1.5
"""Steps with a line that could be meant, on average over the episodes that have it."""
LEAST_SHARE = 0.5
"""Of the episodes that reach the goal, the share that has such a line."""


@dataclass(frozen=True)
class Stated:
    """A subgoal, what the model says of it, and how likely each line says that."""

    subgoal: Subgoal
    """With the line that means it as its one statement; with the clause where no line is there."""
    clause: str
    """What has just been done when it is achieved, in the model's words."""
    odds: dict[str, float]
    """By line: that it says so."""


def landmark_lines(
    transitions: Sequence[Transition], succeeded: Collection[str] = (), times: int = 1
) -> tuple[str, ...]:
    """Returns the lines of `events` texts that could tell of a step towards the goal.

    Such a line comes about once in an episode that has it, or as often as a subgoal is to be done,
    and in most episodes that succeed; where none succeeded, the first alone is asked.

    Args:
        transitions: as they were played; episodes are told apart.
        succeeded: episodes that reached the task's goal.
        times: how often the subgoal that is to be done most often is to be done in an episode.
    """
    steps: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for transition in transitions:
        for line in lines_of(transition.texts["events"]):
            steps[line][transition.episode] += 1
    reached = {t.episode for t in transitions} & set(succeeded)

    def could_be(episodes: Counter[str]) -> bool:
        seldom = episodes.total() <= MOST_AN_EPISODE * times * len(episodes)
        return seldom and len(reached & set(episodes)) >= LEAST_SHARE * len(reached)

    return tuple(line for line, episodes in steps.items() if could_be(episodes))


def state_subgoals(
    task: Task,
    judge: RemoteJudge,
    subgoals: Sequence[Subgoal],
    lines: Sequence[str],
    store: Store | None = None,
    *,
    tries: int = 3,
) -> list[Stated]:
    """Returns subgoals with the lines that a model holds to tell of them; asked once, then stored.

    Args:
        judge: asks about single lines (form `lines`).
        lines: that could be meant, see `landmark_lines`.
        store: None for the judge's own.
        tries: clauses asked for before one of a subgoal is given up.

    Raises:
        UsageError: the judge does not ask about lines.
        CalmError: no clause was usable, or a line's odds could not be read.
    """
    if len(judge.form.pieces("a\nb")) != 2:
        raise UsageError("statements are found by asking about single lines: add --form lines")
    clauses = [_clause(task, judge, subgoal, store or judge.store, tries) for subgoal in subgoals]
    asked = [Subgoal(clause, "", (clause,)) for clause in dict.fromkeys(clauses)]
    steps = [Transition(task.id, {"events": line}, "") for line in lines]
    odds: dict[str, dict[str, float]] = {clause: {} for clause in clauses}
    for line, judgement in zip(
        lines, judge.judge(task, asked, steps) if steps else (), strict=True
    ):
        if judgement.confidence is None:
            raise CalmError(f"{judge.name} gave no odds about {line!r}: {judgement.reason}")
        for clause in odds:
            odds[clause][line] = judgement.confidence[clause]
    stated = []
    for subgoal, clause in zip(subgoals, clauses, strict=True):
        others = [by_line for other, by_line in odds.items() if other != clause]
        statement = clause_of(_meant(odds[clause], others) or clause)
        stated.append(Stated(replace(subgoal, statements=(statement,)), clause, odds[clause]))
    return stated


def _meant(odds: Mapping[str, float], others: Sequence[Mapping[str, float]]) -> str:
    """Returns the line whose odds are most above those of every other clause; "" without lines."""
    return max(
        odds,
        key=lambda line: odds[line] - max((o[line] for o in others), default=0.0),
        default="",
    )


def _clause(task: Task, judge: RemoteJudge, subgoal: Subgoal, store: Store, tries: int) -> str:
    """Returns what has just been done when a subgoal is achieved, as the model says it."""
    prompt, template_hash = clause_prompt(subgoal)
    question = OpenQuestion(
        task.id,
        prompt,
        CLAUSE_TEMPLATE,
        template_hash,
        _read,
        f"did not say in one clause what {subgoal.name!r} means",
        "Write `statements` into the file yourself",
    )
    return first_usable(question, judge, store, tries)


def _read(reply: Reply) -> str:
    if reply.refusal:
        raise UsageError(f"the model declined: {reply.refusal[:200]}")
    return clause_of(reply.text)
