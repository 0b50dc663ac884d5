"""Specs of noisy judges, and the paper's rows among them."""

import pytest

from agents.training.credit_source import make_credit_source
from agents.training.noisy_spec import parse_noisy
from agents.training.settings.config import TrainConfig
from calm.errors import UsageError
from data.evaluation.paper import paper_table
from envs.credit.noisy import NoisyTruth
from envs.tasks import task


def test_a_spec_says_precision_recall_seed_and_what_is_wrong_together() -> None:
    assert parse_noisy("noisy:precision=.75,recall=0.9", seed=3) == NoisyTruth(0.75, 0.9, 3)
    assert parse_noisy("noisy: by=step, recall=1, seed=7, precision=0.5", seed=3) == NoisyTruth(
        0.5, 1.0, 7, "step"
    )


def test_a_row_of_the_paper_is_a_judge() -> None:
    noise = parse_noisy("noisy:paper=Mistral-7B-Instruct-v0.2/screen/given,by=step")
    assert noise == NoisyTruth(0.96, 0.32, 0, "step")
    starred = parse_noisy("noisy:paper=Mixtral-8x7B-Instruct-v0.1*/crop/given")
    assert starred == parse_noisy("noisy:paper=Mixtral-8x7B-Instruct-v0.1/crop/given")


def test_every_row_of_the_paper_that_ever_says_yes_can_be_built() -> None:
    rows = [row for row in paper_table() if row.recall > 0]
    assert len(rows) > 26
    for row in rows:
        built = parse_noisy(f"noisy:paper={row.annotator}/{row.mode}/{row.subgoals}")
        assert (built.precision, built.recall) == (row.precision, row.recall)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("noisy", "precision=P,recall=R"),
        ("noisy:precision=0.5", "precision=P,recall=R"),
        ("noisy:precision=0.5,recall", "precision=P,recall=R"),
        ("noisy:precision=0.5,precision=0.6,recall=1", "precision=P,recall=R"),
        ("noisy:precison=0.5,recall=1", "did you mean 'precision'"),
        ("noisy:precision=high,recall=1", "precision.*number, got 'high'"),
        ("noisy:precision=0,recall=1", "above 0"),
        ("noisy:precision=0.5,recall=1,seed=-1", "whole number"),
        ("noisy:precision=0.5,recall=1,by=day", "unknown way to be wrong"),
        ("noisy:paper=Mistral-7B/screen/given", "row of the paper.*did you mean 'Mistral"),
        ("noisy:paper=gemma-1.1-2b-it/screen/given", "never said yes.*always-no"),
        ("noisy:paper=gemma-1.1-7b-it/screen/given,recall=1", "leave them out"),
    ],
)
def test_what_can_not_be_read_is_named(spec: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_noisy(spec)


def test_a_source_takes_the_runs_seed_and_other_judges_stay_what_they_were() -> None:
    known = task("KeyRoom-S5")
    spec = "noisy:precision=0.5,recall=1"
    assert make_credit_source(spec, known, known.subgoals, seed=4) == NoisyTruth(0.5, 1.0, 4)
    assert make_credit_source("truth", known, known.subgoals) == "truth"
    with pytest.raises(UsageError, match=r"unknown judge 'nosy:1'.*noisy:precision"):
        make_credit_source("nosy:1", known, known.subgoals)


def test_its_name_is_a_folders() -> None:
    config = TrainConfig(judge="noisy:paper=gemma-1.1-7b-it/screen/given,by=step")
    assert (
        config.name == "KeyRoom-S5-noisy_paper=gemma-1.1-7b-it_screen_given,by=step-once-cnn-seed0"
    )
