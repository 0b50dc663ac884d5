"""The bench of training: the same network for all, figures read from processes, ratios by hand."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from agents.bench import training as bench_train
from agents.bench.network import BenchNetwork
from agents.bench.settings import ROLLOUT
from agents.bench.training import FAMILIES, Contest, measure, python_of, run, run_memory
from agents.network.kernels.minibatch_chunks import Repeated
from calm.errors import CalmError


def test_the_large_network_has_528_thousand_parameters() -> None:
    heads = 256 * (10 + 1) + 10 + 1  # KeyRoom has ten actions
    parameters = sum(p.numel() for p in BenchNetwork("M").parameters())
    assert round((parameters + heads) / 1000) == 528


@pytest.mark.parametrize("size", ["M", "S"])
def test_crops_given_once_make_the_same_features(size: str) -> None:
    network = BenchNetwork(size)
    crops = torch.randint(0, 5977, (2, 9, 9), dtype=torch.int16)
    index = torch.tensor([1, 0, 1])
    status, message = torch.randn(3, 27), torch.randint(0, 256, (3, 256), dtype=torch.uint8)
    once = network(Repeated(crops, index), status, message)
    torch.testing.assert_close(once, network(crops[index], status, message))


def test_a_ratio_is_over_the_faster_setup() -> None:
    rates = {"ours": [8.0, 10.0, 9.0]} | {key: [1.0, 1.0, 1.0] for key in FAMILIES["pufferlib"]}
    rates["PufferLib, serial"] = [2.0, 5.0, 2.0]
    contest = Contest({("M", name): of for name, of in rates.items()})
    assert contest.ratio("M", "pufferlib") == 4.0  # of 4, 2 and 4.5
    assert contest.ratio("M", "sample_factory") is None


def test_peers_that_are_not_there_are_left_out_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def rate(name: str, size: str, seconds: float) -> float:
        if name.startswith(("Sample", "Puffer")):
            raise CalmError("not installed")
        ours = {"M": 6.0, "S": 12.0}[size]
        return {"ours": ours, "ours, bfloat16": 1.5 * ours}.get(name, 3.0)

    monkeypatch.setattr(bench_train, "measure", rate)
    result = run(quick=True)
    assert result["bench"] == "train"
    assert result["ratios"] == {
        "sb3_528k": 2.0,
        "sb3_small": 4.0,
        "sb3_528k_bfloat16": 3.0,
        "sb3_small_bfloat16": 6.0,
    }
    assert [m.split(":")[0] for m in result["missing"]] == [
        *FAMILIES["sample_factory"],
        *FAMILIES["pufferlib"],
    ]
    row = result["rows"][0]
    assert row == {"name": "528k: ours", "value": 6.0, "unit": "steps/s", "min": 6.0, "max": 6.0}


def test_a_peer_that_fails_later_is_left_out_of_all_rounds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names: list[str] = []

    def rate(name: str, size: str, seconds: float) -> float:
        names.append(name)
        if name == "PufferLib, serial" and names.count(name) > 2:  # from round 2 on
            raise CalmError("gave no figure")
        return 6.0

    monkeypatch.setattr(bench_train, "measure", rate)
    result = run()
    assert result["missing"] == ["PufferLib, serial: gave no figure"]
    assert not any("serial" in row["name"] for row in result["rows"])
    assert result["ratios"]["pufferlib"] == 1.0  # by its other setup


def test_ctrl_c_keeps_the_whole_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    rates = iter([2.0, 4.0, 3.0])
    names: list[str] = []

    def rate(name: str, size: str, seconds: float) -> float:
        if (names.count(name), name, size) == (5, "ours", "S"):
            raise KeyboardInterrupt
        names.append(name)
        return next(rates) if (name, size) == ("ours", "M") else 1.0

    monkeypatch.setattr(bench_train, "measure", rate)
    result = run()
    assert result["stopped"]
    assert result["ratios"]["sb3_528k"] == 3.0  # of 2 and 4; the third round is not whole
    names.clear()
    monkeypatch.setattr(bench_train, "measure", _interrupted)
    with pytest.raises(KeyboardInterrupt):
        run()


def _interrupted(name: str, size: str, seconds: float) -> float:
    raise KeyboardInterrupt


def test_our_own_failure_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(bench_train, "python_of", lambda _: Path(shutil.which("false") or ""))
        with pytest.raises(CalmError, match="told no figure"):
            measure("ours", "M", 0.1)
    monkeypatch.setattr(bench_train, "PEERS", tmp_path)
    with pytest.raises(CalmError, match="make bench-peers"):
        measure("PufferLib, serial", "M", 0.1)
    assert python_of("ours") == Path(sys.executable)


def test_an_lstm_is_measured_beside_sb3_contribs(monkeypatch: pytest.MonkeyPatch) -> None:
    rates = {"ours, lstm": 6.0, "sb3-contrib DummyVecEnv, lstm": 2.0}
    monkeypatch.setattr(bench_train, "measure", lambda name, size, seconds: rates.get(name, 1.0))
    result = run_memory(quick=True)
    assert result["ratios"] == {"sb3_contrib_528k": 3.0, "sb3_contrib_small": 3.0}
    assert len(result["rows"]) == 8


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    ["ours", "SB3 DummyVecEnv", "our update alone", "ours, lstm", "sb3-contrib DummyVecEnv, lstm"],
)
def test_a_contestant_tells_whole_rollouts(name: str, tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-m",
        "agents.bench.one_contestant",
        name,
        "S",
        "0.1",
    ]
    there = os.environ | {"TMPDIR": str(tmp_path)}  # it ends without cleaning up
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=there)
    rate = json.loads(done.stdout.splitlines()[-1])
    assert rate["steps"] % ROLLOUT == 0
    assert rate["steps"] >= ROLLOUT
    assert rate["seconds"] > 0
