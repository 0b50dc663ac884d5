"""The compiled scan: done without where need be, and the same on any threads."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from agents.encoders import compiled
from agents.encoders.selective_scan import native, selective_scan

if native.library(torch.float32) is None:
    pytest.skip("no C compiler", allow_module_level=True)


@pytest.fixture(autouse=True)
def _looked_up_anew() -> Iterator[None]:
    native.library.cache_clear()
    yield
    native.library.cache_clear()


def args(batch: int = 3, channels: int = 5, length: int = 7) -> list[Tensor]:
    torch.manual_seed(0)
    gate = (batch, 2, length)
    raw = [torch.randn(batch, channels, length), torch.rand(batch, channels, length)]
    raw += [-torch.rand(channels, 2), torch.randn(gate), torch.randn(gate)]
    return [x.requires_grad_() for x in raw]


def test_without_a_compiler_plain_torch_does_it_and_the_log_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    y = selective_scan(*args())
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("CC", "no-such-compiler")
    native.library.cache_clear()
    with caplog.at_level(logging.WARNING):
        assert torch.allclose(selective_scan(*args()), y, atol=1e-6)
    assert "no-such-compiler" in caplog.text
    assert len(caplog.records) == 1


def test_threads_change_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "WORTH_A_THREAD", 1)
    results = []
    before = torch.get_num_threads()
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            leaves = args(batch=5)
            y = selective_scan(*leaves)
            results.append((y, *torch.autograd.grad(y.square().sum(), leaves)))
    finally:
        torch.set_num_threads(before)
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))


@pytest.mark.parametrize("x", [-200.0, -88.0, -87.0, -20.0, -1.0, -1e-8, 0.0, 1.0, 80.0])
def test_the_decay_is_the_exponential_in_float32(x: float) -> None:
    """h_1 = exp(Δ A) h_0 with h_0 = 1: two steps, the second without input."""
    ones = torch.ones(1, 1, 2)
    u = torch.tensor([[[1.0, 0.0]]])
    y = selective_scan(u, ones, torch.tensor([[x]]), ones, ones)
    exact = torch.tensor(x, dtype=torch.float64).exp().item()
    assert y[0, 0, 1].item() == pytest.approx(exact, rel=5e-7, abs=2e-38)


def test_a_value_that_is_none_stays_none() -> None:
    u, delta, A, B, C = (x.detach() for x in args())
    u[1, 2, 3] = torch.nan
    y = selective_scan(u, delta, A, B, C)
    lost = torch.zeros_like(y, dtype=torch.bool)
    lost[1, 2, 3:] = True
    assert torch.equal(y.isnan(), lost)


@pytest.mark.parametrize("state", [4, 8])
@pytest.mark.parametrize("groups", [4, 6, 8])
def test_groups_of_four_channels_equal_plain_torch(
    groups: int, state: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whose gates are moved four of each of four groups at a time; of six groups two are left."""
    torch.manual_seed(0)
    gate = (2, groups, state, 19)
    u, delta = torch.randn(2, 4 * groups, 19), torch.rand(2, 4 * groups, 19)
    of = [u, delta, -torch.rand(4 * groups, state), torch.randn(gate), torch.randn(gate)]
    of = [x.double().requires_grad_() for x in of]
    results = []
    for plainly in (False, True):
        if plainly:
            monkeypatch.setattr(native, "library", lambda _: None)
        y = selective_scan(*of)
        results.append((y, *torch.autograd.grad(y.square().sum(), of)))
    for a, b in zip(*results, strict=True):
        assert torch.allclose(a, b, rtol=0, atol=1e-11 * b.abs().max().item())
