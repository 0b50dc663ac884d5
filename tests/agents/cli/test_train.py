"""`calm train` as a shell sees it: output, exit codes, bad input, Ctrl-C."""

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from agents.training.run.folder import Run
from agents.training.settings.config import make_config
from calm.errors import UsageError
from tests.support.command_line import calm
from tests.support.kitchen import calm as main
from tests.support.processes import eventually, python

SMALL = [
    "--steps",
    "64",
    *(
        f"--set={s}"
        for s in ("n_envs=2", "n_steps=32", "eval_every=64", "eval_episodes=2", "features_dim=16")
    ),
]


@pytest.mark.parametrize("command", ["doctor", "demo", "collect", "train", "report"])
def test_help_is_there(command: str) -> None:
    assert "--help" in calm(command, "--help")


def test_train_then_report(tmp_path: Path) -> None:
    rows = json.loads(
        calm(
            "train",
            "Room-5x5",
            "--judge",
            "none",
            *SMALL,
            "--out",
            tmp_path,
            "--store",
            tmp_path / "s.sqlite",
            "--json",
        )
    )
    (row,) = rows
    assert row["steps"] == 64
    assert row["episodes"] == 2
    assert Path(row["report"]).is_file()
    out = tmp_path / "other.html"
    assert calm("report", row["run"], "--out", out).strip() == str(out)
    assert "<svg" in out.read_text("utf-8")
    with pytest.raises(UsageError, match="already holds a run"):
        calm("train", "Room-5x5", "--judge", "none", *SMALL, "--out", tmp_path)
    with pytest.raises(UsageError, match=r"trained for .* steps, more than 5"):
        calm("train", "--resume", row["run"], "--steps", 5)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["train"], "name a task"),
        (["train", "KeyRom-S5"], "unknown task 'KeyRom-S5': did you mean 'MiniHack-KeyRoom-S5-v0'"),
        (["train", "KeyRoom-S5", "--set", "crop"], "--set takes FIELD=VALUE"),
        (
            ["train", "KeyRoom-S5", "--set", "crops=9"],
            "'crops': did you mean 'crop'",
        ),
        (["train", "KeyRoom-S5", "--shaping", "never"], "alid: every, once, potential"),
        (["train", "KeyRoom-S5", "--bonus", "novlty"], "unknown bonus 'novlty': did you mean"),
        (
            ["train", "KeyRoom-S5", "--bonus", "rnd", "--bonus-weight", "much"],
            "bonus_weight: expected a finite number, such as 0.1, got 'much'",
        ),
        (["train", "KeyRoom-S5", "--bonus-weight", "0.3"], "and there is none: name a bonus"),
        (
            ["train", "KeyRoom-S5", "--judge", "none", "--set", "weight=0.1"],
            "weight would change nothing: it is of judged credit, and there is no judge",
        ),
        (
            ["train", "KeyRoom-S5", "--set", "stall=-1"],
            "stall: expected greater than or equal to 0, got -1",
        ),
        (
            ["train", "KeyRoom-S15", "--memory", "lstm"],
            "keyroom-large.yaml (--no-family leaves those out) can't be used: config: augment",
        ),
        (
            ["train", "KeyRoom-S5", "--judge", "none", "--bonus", "novelty:relevant"],
            "name a judge",
        ),
        (["train", "KeyRoom-S5", "--encoder", "mamba"], "unknown encoder 'mamba'"),
        (["train", "--resume", "no/such/run"], "holds no run"),
        (
            ["train", "--resume", "a", "--seeds", 2, "--out", "b"],
            "but --steps, got seeds, out",
        ),
        (["train", "KeyRoom-S5", "--seed", 2**32 - 1, "--seeds", 2], "less than 4294967296"),
        (["train", "--config", "."], "can't read the config in .: Is a directory"),
        (["collect", "Room-5x5", "--out", "x.parquet", "--player", "me"], "unknown player 'me'"),
        (["collect", "Room-5x5", "--out", "x.parquet", "--split", "all"], "unknown split 'all'"),
        (["report", "no/such/run"], "holds no run"),
    ],
)
def test_bad_input_is_named(
    arguments: list[object], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError) as caught:
        calm(*arguments)
    assert says in str(caught.value)
    assert not list(tmp_path.iterdir())  # nothing was begun


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--judge", "rulez"], "unknown judge 'rulez': did you mean 'rules'"),
        (["--judge", "replay:m"], "unknown model in the store 'm'; valid: there is none"),
        (["--subgoals", "some.yaml"], "is neither `given`, nor a file"),
    ],
)
def test_what_can_not_be_judged_is_no_run(
    arguments: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError) as caught:
        calm("train", "Room-5x5", *arguments)
    assert says in str(caught.value)
    assert not (tmp_path / "runs").exists()


def test_a_bonus_without_its_package_is_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("agents.bonus.make.find_spec", lambda _: None)
    with pytest.raises(UsageError, match=r"the bonus rnd needs torchrl.*pip install -e '\.\[rnd\]"):
        calm("train", "Room-5x5", "--judge", "none", "--bonus", "rnd")
    assert not (tmp_path / "runs").exists()


def test_settings_that_do_not_fit_each_other_leave_no_run_behind(tmp_path: Path) -> None:
    options = ["Room-5x5", "--judge", "none", *SMALL, "--out", tmp_path / "runs"]
    with pytest.raises(UsageError, match="the encoder cnn takes no options"):
        calm("train", *options, "--set", "encoder_options={forms: 1}")
    assert not list((tmp_path / "runs").iterdir())
    calm("train", *options)


def test_of_several_seeds_all_begin_or_none(tmp_path: Path) -> None:
    config = make_config({"task": "Room-5x5", "judge": "none", "seed": 1})
    Run.create(tmp_path / config.name, config)
    with pytest.raises(UsageError, match="already holds a run"):
        calm("train", "Room-5x5", "--judge", "none", "--seeds", 2, "--out", tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == [config.name]


def test_a_shell_sees_the_exit_code_and_one_message(tmp_path: Path) -> None:
    done = main("train", "Nowhere", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("calm: unknown task 'Nowhere'")
    assert "Traceback" not in done.stderr


def test_ctrl_c_keeps_what_was_done_and_resume_goes_on(tmp_path: Path) -> None:
    settings = [*SMALL[2:], "--set=eval_every=128"]
    command = ["-m", "calm", "train", "Room-5x5", "--judge", "rules", "--steps", 1_000_000]
    command += [*settings, "--out", tmp_path, "--store", tmp_path / "s.sqlite"]
    run = Run(tmp_path / "Room-5x5-rules-once-cnn-seed0")
    # A process group of its own, as a terminal gives one: Ctrl-C reaches every process in it.
    with python(*command, stderr=subprocess.PIPE, start_new_session=True) as process:
        assert eventually(lambda: len(run.metrics()) >= 2, 240)
        with pytest.raises(UsageError, match=f"{run.folder} is in use by process"):
            calm("train", "--resume", run.folder)
        os.killpg(process.pid, signal.SIGINT)
        _, stderr = process.communicate(timeout=240)
    assert process.returncode == 130, stderr
    assert "interrupted; everything done so far is kept" in stderr
    assert "Traceback" not in stderr
    assert f" train --resume {run.folder}" in stderr.split("resume with: ")[1]
    step = run.load_checkpoint()["steps"]
    assert step >= 128
    again = ["--resume", run.folder, "--steps", step + 64, "--store", tmp_path / "s.sqlite"]
    (row,) = json.loads(calm("train", *again, "--json"))
    assert row["steps"] >= step + 64
    assert run.resumed_at == [step]


def test_settings_are_listed_with_default_and_meaning() -> None:
    text = calm("train", "--settings")
    assert "learning_rate=0.0005\n    Adam's step size.\n" in text
    listed = json.loads(calm("train", "--settings", "--json"))
    assert listed[0] == {
        "name": "task",
        "default": "MiniHack-KeyRoom-S5-v0",
        "meaning": "MiniHack id of the task; `KeyRoom-S5` will do. Or a YAML file that describes"
        " one.",
    }
