"""The scan's kernels to test."""

from collections.abc import Iterator

import pytest
import torch

from agents.encoders.selective_scan import native


@pytest.fixture(scope="module", params=["compiled", "plain"])
def kernels(request: pytest.FixtureRequest) -> Iterator[str]:
    """The scan's kernels on a CPU: in C, or in plain torch as where there is no compiler."""
    if request.param == "compiled" and native.library(torch.float32) is None:
        pytest.skip("no C compiler")
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "plain":
            patch.setattr(native, "library", lambda _: None)
        yield request.param
