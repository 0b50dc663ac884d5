"""Attention in C: the same on any threads, and without a compiler."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from agents.encoders import compiled
from agents.encoders.attend import attend, native

if native.library(torch.float32) is None:
    pytest.skip("no C compiler", allow_module_level=True)


@pytest.fixture(autouse=True)
def _looked_up_anew() -> Iterator[None]:
    native.library.cache_clear()
    yield
    native.library.cache_clear()


def leaves(batch: int = 11) -> list[Tensor]:
    torch.manual_seed(0)
    shapes = [(batch, 5, 3, 4), (batch, 7, 3, 4), (batch, 7, 3, 4), (3, 5, 7)]
    return [torch.randn(shape, requires_grad=True) for shape in shapes]


def test_threads_change_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "WORTH_A_THREAD", 1)
    results = []
    before = torch.get_num_threads()
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            of = leaves()
            out = attend(*of)
            results.append((out, *torch.autograd.grad(out.square().sum(), of)))
    finally:
        torch.set_num_threads(before)
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))


def test_one_sample_never_sees_another() -> None:
    q, k, v, bias = leaves()
    whole = attend(q, k, v, bias)
    for i in range(len(q)):
        assert torch.equal(attend(q[i : i + 1], k[i : i + 1], v[i : i + 1], bias)[0], whole[i])


def test_an_empty_batch_has_no_result() -> None:
    assert attend(*leaves(batch=0)).shape == (0, 5, 3, 4)


def test_without_a_compiler_torch_does_it_and_the_log_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    out = attend(*leaves())
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("CC", "no-such-compiler")
    native.library.cache_clear()
    with caplog.at_level(logging.WARNING):
        assert torch.allclose(attend(*leaves()), out, atol=1e-6)
    assert "attend runs in plain torch" in caplog.text
    assert "no-such-compiler" in caplog.text
    assert len(caplog.records) == 1
