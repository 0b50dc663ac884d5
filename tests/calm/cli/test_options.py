"""Options that commands share."""

import pytest

from calm.asking import form
from calm.cli import options
from calm.cli.options import read_verdicts
from calm.errors import UsageError
from calm.records import Verdict


def test_verdict_classes_are_read_once_each_in_their_order() -> None:
    assert read_verdicts("truncated, invalid,truncated") == (Verdict.TRUNCATED, Verdict.INVALID)
    assert read_verdicts("") == ()


def test_a_word_that_is_no_class_is_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="unknown verdict class 'invlid': did you mean 'invalid'"):
        read_verdicts("invlid")


def test_the_help_names_every_form() -> None:
    plain = {name for name in form.FORMS if not name.endswith("-few-shot")}
    last_two = options.FORMS.partition(", or the last two")[0].split(", ")[-2:]
    assert set(options.FORMS.partition(", or ")[0].split(", ")) == plain
    assert {f"{name}-few-shot" for name in last_two} == set(form.FORMS) - plain
