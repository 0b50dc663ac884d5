"""A command takes the options of asking as one record, all of them or those that it names."""

import typer
from typer.testing import CliRunner

from calm.cli.asking_options import AskingOptions, with_asking_options
from calm.judges import make_judge
from calm.records import Verdict


def _run(*names: str, words: list[str]) -> tuple[int, list[AskingOptions]]:
    records: list[AskingOptions] = []
    app = typer.Typer()

    @app.command()
    @with_asking_options(*names)
    def command(*, word: str, asking: AskingOptions) -> None:
        assert word == "x"
        records.append(asking)

    return CliRunner().invoke(app, ["x", *words]).exit_code, records


def test_all_options_make_one_record() -> None:
    code, [asking] = _run(words=["--samples", "3", "--max-cost", "2.5", "--ask-again", "invalid"])
    assert code == 0
    assert (asking.samples, asking.timeout) == (3, 120.0)
    values = asking.for_judge()
    assert values["limits"].cost == 2.5
    assert values["again"] == (Verdict.INVALID,)


def test_a_command_that_names_some_takes_no_other() -> None:
    code, [asking] = _run("timeout", "key_env", words=["--timeout", "7"])
    assert code == 0
    assert asking == AskingOptions(timeout=7.0)
    assert _run("timeout", words=["--samples", "3"]) == (2, [])


def test_what_is_left_to_the_judge_builds_one() -> None:
    values = AskingOptions().for_judge()
    assert not {"form", "rpm", "prices"} & set(values)
    judge = make_judge("openai:m", base_url="http://127.0.0.1:9/v1", **values)
    assert judge.name == "openai:m"
