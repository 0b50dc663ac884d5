"""A policy's weights as safetensors: the same numbers, each once, and nothing that runs."""

import json
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from agents.training.run.policy_file import FORMAT, read_policy, write_policy
from calm.errors import UsageError

SHARED = torch.arange(6, dtype=torch.float32).reshape(2, 3) / 7
WEIGHTS = {"a.weight": SHARED, "b.weight": SHARED.clone(), "a.bias": torch.tensor([1, 2])}


def test_weights_come_back_and_equal_ones_are_written_once(tmp_path: Path) -> None:
    path = tmp_path / "p.safetensors"
    write_policy(path, WEIGHTS, 300)
    weights, steps = read_policy(path)
    assert steps == 300
    assert weights.keys() == WEIGHTS.keys()
    assert all(torch.equal(weights[name], tensor) for name, tensor in WEIGHTS.items())
    write_policy(tmp_path / "q.safetensors", WEIGHTS | {"c.weight": SHARED + 1}, 300)
    grown = (tmp_path / "q.safetensors").stat().st_size - path.stat().st_size
    assert grown >= 24  # six more numbers of 4 bytes; b.weight took none


def test_with_16_bits_numbers_are_rounded_and_come_back_with_32(tmp_path: Path) -> None:
    path = tmp_path / "p.safetensors"
    write_policy(path, WEIGHTS, 1, half=True)
    weights, _ = read_policy(path)
    assert weights["b.weight"].dtype == torch.float32
    assert torch.equal(weights["b.weight"], SHARED.half().float())
    assert torch.equal(weights["a.bias"], torch.tensor([1, 2]))


def test_what_is_no_policy_is_refused_and_not_run(tmp_path: Path) -> None:
    path = tmp_path / "p.safetensors"

    class Mark:
        def __reduce__(self) -> tuple[object, ...]:
            return (open, (str(tmp_path / "mark"), "w"))

    path.write_bytes(pickle.dumps(Mark()))
    with pytest.raises(UsageError, match="holds no policy"):
        read_policy(path)
    assert not (tmp_path / "mark").exists()
    with pytest.raises(UsageError, match="holds no policy"):
        read_policy(tmp_path / "none")
    save_file({"a": SHARED}, path)
    with pytest.raises(UsageError, match="its format is None"):
        read_policy(path)
    metadata = {"format": FORMAT, "steps": "1", "same_as": json.dumps({"b": "c"})}
    save_file({"a": SHARED}, path, metadata)
    with pytest.raises(UsageError, match="holds no policy: 'c'"):
        read_policy(path)


@pytest.mark.parametrize(
    ("number", "others", "message"),
    [
        (float("nan"), {}, "'a' has numbers that are not finite"),
        (float("inf"), {}, "'a' has numbers that are not finite"),
        (1.0, {"steps": "-5"}, "trained for -5 steps"),
        (1.0, {"same_as": "[" * 100_000}, "recursion"),
    ],
)
def test_numbers_and_names_that_no_policy_has_are_refused(
    tmp_path: Path, number: float, others: dict[str, str], message: str
) -> None:
    path = tmp_path / "p.safetensors"
    metadata = {"format": FORMAT, "steps": "1", "same_as": "{}"} | others
    save_file({"a": torch.tensor([0.0, number])}, path, metadata)
    with pytest.raises(UsageError, match=f"holds no policy: .*{message}"):
        read_policy(path)
