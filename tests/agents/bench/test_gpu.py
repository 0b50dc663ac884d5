"""The checks of a GPU: run here on the processor, where a device must equal itself."""

import math
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch.nn.attention import SDPBackend

from agents.bench import gpu, scan
from agents.bench.timing import Timing
from agents.encoders.selective_scan import autograd, native, plain
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
    seconds = iter([2.01, 2.0])

    def another(
        self: Any, rollout: Any, rows: Any, parameters: list[Any], *args: Any
    ) -> tuple[list[torch.Tensor | None], torch.Tensor]:
        same: list[torch.Tensor | None] = [torch.ones(2)] * (len(parameters) - 2)
        return [None, *same, torch.tensor([1.0, next(seconds)])], torch.zeros(5)

    monkeypatch.setattr("agents.ppo.fast_ppo.FastPPO.train", lambda self: None)
    monkeypatch.setattr("agents.ppo.fast_ppo.FastPPO._gradients", another)
    with pytest.raises(CalmError, match=r"gradient of value_net.bias is off by 5\.0e-03"):  # of 2
        gpu.same_update("cpu")


@pytest.mark.parametrize("wrong", [math.nan, 2e-3])
def test_one_wrong_number_among_many_is_an_error(wrong: float) -> None:
    with pytest.raises(CalmError, match=f"the sums on cuda is wrong: b is off by {wrong:.1e}"):
        gpu._checked("the sums", {"a": 0.0, "b": wrong, "c": 1e-4}, 1e-3, "cuda")


@pytest.fixture
def small_scans(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "SCANS", {15: (3, 5)})


def kernels(forward: Any, backward: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes these the kernels of the scan, in every type, as those of a card would be."""
    monkeypatch.setattr(native, "library", lambda _: None)
    module = SimpleNamespace(forward=forward, backward=backward)
    monkeypatch.setattr(autograd, "_kernels", lambda _: module)


def test_a_scan_that_is_right_passes(small_scans: None, monkeypatch: pytest.MonkeyPatch) -> None:
    kernels(plain.forward, plain.backward, monkeypatch)
    rows, ratios = gpu.same_scans(15, "cpu")
    assert [row["name"] for row in rows] == [
        "scan of length 15: difference",
        "scan along the routes of 3 x 5 cells: difference",
    ]
    assert all(list(row["differences"]) == list(scan.RESULTS) for row in rows)
    assert all(0 < row["value"] < 1e-5 for row in rows)  # float32 beside float64
    assert ratios == {}


def test_a_scan_that_is_wrong_in_every_type_is_an_error(
    small_scans: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forward(*args: Any) -> Any:
        y, starts = plain.forward(*args)
        return 1.001 * y, starts

    kernels(forward, plain.backward, monkeypatch)
    with pytest.raises(CalmError, match=r"scan of length 15 on cpu is wrong: y is off by 1\.0e-03"):
        gpu.same_scans(15, "cpu")


@pytest.mark.parametrize("which", range(5))
def test_a_scan_with_one_wrong_gradient_is_an_error(
    small_scans: None, monkeypatch: pytest.MonkeyPatch, which: int
) -> None:
    def backward(*args: Any) -> tuple[torch.Tensor, ...]:
        gradients = list(plain.backward(*args))
        gradients[which] = 1.001 * gradients[which]
        return tuple(gradients)

    kernels(plain.forward, backward, monkeypatch)
    name = scan.RESULTS[1 + which]
    with pytest.raises(CalmError, match=rf"is wrong: {name} is off by 1\.0e-03"):
        gpu.same_scans(15, "cpu")


def test_routes_that_are_not_followed_are_an_error(
    small_scans: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernels(plain.forward, plain.backward, monkeypatch)
    monkeypatch.setattr(autograd, "_permuted", lambda x, _: x)
    with pytest.raises(CalmError, match="scan along the routes of 3 x 5 cells on cpu is wrong"):
        gpu.same_scans(15, "cpu")


def test_the_scan_is_timed_beside_a_loop_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def timings(runs: dict[str, Any], *_: Any) -> dict[str, Timing]:
        return {name: Timing(8.0 if "loop" in name else 2.0, 1, 9) for name in runs}

    monkeypatch.setattr(scan, "measure", timings)
    monkeypatch.setattr(scan, "peak_memory", lambda *_: 0)
    left_out: list[str] = []
    rows, ratios = gpu.scans(7, "cpu", left_out)
    assert ratios == {"scan_vs_loop_7": 4.0}
    assert {row["name"].split()[1] for row in rows} == {"floor", "ours", "unbind"}
    assert left_out == []


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


def allowed() -> tuple[bool, bool, bool]:
    """Which of torch's kernels of attention may be used: flash, efficient, and plain."""
    of = torch.backends.cuda
    return of.flash_sdp_enabled(), of.mem_efficient_sdp_enabled(), of.math_sdp_enabled()


@pytest.mark.parametrize("refuses_flash", [False, True])
def test_full_attention_is_computed_by_one_kernel_and_named(
    quick: None, monkeypatch: pytest.MonkeyPatch, refuses_flash: bool
) -> None:
    attend = torch.nn.functional.scaled_dot_product_attention
    used = []

    def spy(*args: Any, **kwargs: Any) -> Any:
        if refuses_flash and allowed()[0]:
            raise RuntimeError("no available kernel")
        y = attend(*args, **kwargs)
        used.append(allowed())
        return y

    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", spy)
    rows, _ = gpu.attention(6, False, "cpu", batch=2)
    # Of what stands in for flash, a processor has the plain one alone.
    assert set(used) == {(not refuses_flash, False, refuses_flash)}
    assert len(used) == 2  # tried, and measured
    name = "math" if refuses_flash else "flash attention"
    assert rows[1]["name"] == f"softmax by {name}, bfloat16, 2x6"


def test_no_kernel_of_attention_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "BACKENDS", (SDPBackend.CUDNN_ATTENTION,))
    with pytest.raises(CalmError, match="none of torch's attention kernels takes 6 tokens on cpu"):
        gpu.attention_backend(6, "cpu")


@pytest.mark.parametrize("view", list(gpu.KEYS))
def test_every_encoder_has_the_processors_numbers(view: str) -> None:
    rows, _ = gpu.same_steps(view, "cpu", batch=2)
    assert [row["name"].split(" by ")[0] for row in rows] == list(ENCODERS)
    assert all(0 < row["value"] < 1e-4 for row in rows)  # float32 beside float64
    assert all("output" in row["differences"] for row in rows)


@pytest.mark.parametrize("wrong", ["output", "gradient of joint.bias"])
def test_an_encoder_that_differs_is_an_error(monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    real = gpu._outcome

    def off(extractor: Any, observations: Any) -> dict[str, torch.Tensor]:
        outcome = real(extractor, observations)
        if extractor.encoder == "gaussian" and outcome[wrong].dtype == torch.float32:
            outcome[wrong] = 1.01 * outcome[wrong]
        return outcome

    monkeypatch.setattr(gpu, "_outcome", off)
    with pytest.raises(CalmError, match=rf"gaussian by crop on cpu is wrong: {wrong} is off by 1"):
        gpu.same_steps("crop", "cpu", batch=2)


def test_an_encoder_is_held_to_the_scan_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    def backward(*args: Any) -> tuple[torch.Tensor, ...]:
        gradients = list(plain.backward(*args))
        if gradients[2].dtype == torch.float32:  # float64 is the processor's
            gradients[2] = 1.1 * gradients[2]
        return tuple(gradients)

    kernels(plain.forward, backward, monkeypatch)
    with pytest.raises(CalmError, match=r"^scan by crop on cpu is wrong: .*scan\.log_rate is off"):
        gpu.same_steps("crop", "cpu", batch=2)


def test_numbers_are_compared_in_whole_float32() -> None:
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = True
    try:
        with gpu._without_tf32():
            assert not torch.backends.cudnn.allow_tf32
            assert not torch.backends.cuda.matmul.allow_tf32
        assert torch.backends.cudnn.allow_tf32
    finally:
        torch.backends.cudnn.allow_tf32 = before


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
    assert [line.split(":")[0] for line in report["left_out"]] == [
        "numbers of the scans of length 81",
        "numbers of the scans of length 1659",
        "scans of length 81",
        "scans of length 1659",
        "numbers of all encoders by crop",
        "numbers of all encoders by map",
        "training steps of all encoders by crop",
        "training steps of all encoders by map",
        "attention over 1659 tokens",
        "attention over 6636 tokens",
        "attention over 1659 tokens, compiled",
        "attention over 6636 tokens, compiled",
        "one update of PPO beside the processor's",
        "training, 528k",
        "training, small",
    ]


def test_scans_leave_the_encoders_their_time(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(*_: Any) -> gpu.Figures:
        return [], {}

    for name in ("same_scans", "scans", "same_steps", "training_steps", "attention"):
        monkeypatch.setattr(gpu, name, nothing)
    clock = iter([0.0, 1.0, 80.0, 89.0, 91.0, *[100.0] * 8])
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    report = gpu.run(lambda _: None, ("encoders",), "cpu")
    assert report["left_out"] == ["scans of length 1659: no time left"]
