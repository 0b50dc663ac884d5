"""The checks of a GPU: run here on the processor, where a device must equal itself."""

from typing import Any

import pytest
import torch

from agents.bench import gpu
from agents.bench.timing import Timing
from agents.network.names import ENCODERS
from calm.errors import CalmError, UsageError


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agents.bench.timing.measure", lambda runs, *_: _each_once(runs))
    monkeypatch.setattr(gpu, "TOKENS", {6: (2, 3)})


def _each_once(runs: dict[str, Any]) -> dict[str, Timing]:
    for go in runs.values():
        go()
    return {name: Timing(2.0 * (1 + i), 1, 9) for i, name in enumerate(runs)}


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_without_a_gpu_it_says_what_to_do() -> None:
    with pytest.raises(UsageError, match=r"no CUDA device here.*calm bench encoders"):
        gpu.run(print)


def test_the_processor_computes_its_own_gradient() -> None:
    ((row,), ratios) = gpu.same_update("cpu")
    assert row["value"] == 0.0
    assert ratios == {}


def test_a_gradient_that_differs_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def another(self: Any, *args: Any) -> tuple[list[torch.Tensor], torch.Tensor]:
        number = getattr(another, "calls", 0)
        another.calls = number + 1  # type: ignore[attr-defined]
        return [torch.tensor([1.0, 2.0 + 0.01 * number])], torch.zeros(5)

    monkeypatch.setattr("agents.ppo.fast_ppo.FastPPO.train", lambda self: None)
    monkeypatch.setattr("agents.ppo.fast_ppo.FastPPO._gradients", another)
    with pytest.raises(CalmError, match=r"differs .* by 5\.0e-03"):  # 0.01 of 2
        gpu.same_update("cpu")


def test_a_scan_that_is_wrong_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        {"name": "scan: ours forward+backward 81", "value": 2.0, "error": 0.5},
        {"name": "scan: unbind loop forward+backward 81", "value": 8.0, "error": 0.0},
    ]
    monkeypatch.setattr("agents.bench.scan.scans", lambda *_: rows)
    with pytest.raises(CalmError, match="wrong at length 81"):
        gpu.scans(81, "cpu", [])
    rows[0]["error"] = 1e-6
    assert gpu.scans(81, "cpu", [])[1] == {"scan_vs_loop_81": 4.0}


@pytest.mark.parametrize("compiled", [False, True])
def test_attentions_are_compared(
    quick: None, monkeypatch: pytest.MonkeyPatch, compiled: bool
) -> None:
    modules: list[Any] = []

    def compiling(module: Any) -> Any:
        modules.append(module)
        return module

    monkeypatch.setattr(torch, "compile", compiling)
    rows, ratios = gpu.attention(6, compiled, "cpu", batch=2)
    assert ratios == {f"agent_vs_sdpa_6{'_compiled' if compiled else ''}": 2.0}  # 4 ms over 2
    assert len(modules) == 2 * compiled
    assert [row["value"] for row in rows] == [2.0, 4.0]


@pytest.mark.parametrize("view", list(gpu.KEYS))
def test_every_encoder_makes_a_training_step(quick: None, view: str) -> None:
    rows, _ = gpu.training_steps(view, "cpu", batch=2)
    assert [row["name"].split(" by ")[0] for row in rows] == list(ENCODERS)


def test_ours_is_compared_with_the_faster_setup(monkeypatch: pytest.MonkeyPatch) -> None:
    rates = {"ours": 60.0, "SB3 DummyVecEnv": 10.0, "SB3 SubprocVecEnv": 12.0}
    devices = []

    def measure(name: str, size: str, seconds: float, device: str) -> float:
        devices.append(device)
        return rates[name]

    monkeypatch.setattr(gpu, "measure", measure)
    assert gpu.training("M", "cuda")[1] == {"sb3_528k": 5.0}
    assert devices == ["cuda"] * 3


def test_what_there_is_no_time_for_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "SECONDS", {"agents": 0.0, "encoders": 0.0})
    report = gpu.run(print, device="cpu")
    assert report["rows"] == []
    assert report["left_out"][0] == "one update of PPO beside the processor's: no time left"
    assert len(report["left_out"]) == 1 + 2 + 2 + 4 + 2
