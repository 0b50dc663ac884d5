"""`calm doctor`: findings, remedies and exit code."""

import json

import pytest
from typer.testing import CliRunner

from calm.cli.main import build
from tests.support.command_line import calm


def test_doctor_finds_this_place_healthy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    findings = {f["name"]: f for f in json.loads(calm("doctor", "--json"))}
    assert all(f["good"] for f in findings.values())
    assert {"python", "nle", "torch", "game", "store", "endpoint"} <= set(findings)


def test_doctor_says_what_to_do_about_an_endpoint_that_is_not_there() -> None:
    done = CliRunner().invoke(build(), ["doctor", "--base-url", "http://127.0.0.1:9/v1"])
    assert done.exit_code == 1
    assert "FAIL endpoint" in done.stdout
    assert "-> check the address" in done.stdout
