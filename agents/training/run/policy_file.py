"""The weights of an agent's policy alone, as safetensors: numbers with names, and no code.

A policy holds some tensors under several names (policy and value share the extractor, all maps the
embedding of glyphs); each is written once, and the header says which names are the same.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from calm.errors import UsageError
from calm.files import write_file

if TYPE_CHECKING:  # loading torch takes a second, which who reads metrics should not wait for
    from torch import Tensor

FILE = "policy.safetensors"
FORMAT = "calm-policy-1"
MAX_BYTES = 4 << 30


def write_policy(
    path: Path, weights: Mapping[str, Tensor], steps: int, *, half: bool = False
) -> None:
    """Writes weights, each tensor once.

    Args:
        weights: by name, as a policy's `state_dict` has them.
        steps: for which the agent was trained.
        half: store numbers with 16 bits, of which the policy computes with 32 again.
    """
    from safetensors.torch import save

    tensors: dict[str, Tensor] = {}
    same_as: dict[str, str] = {}
    names_by_content: dict[tuple[tuple[int, ...], bytes], str] = {}
    for name, tensor in weights.items():
        tensor = tensor.detach().cpu().contiguous()
        content = (tuple(tensor.shape), tensor.numpy().tobytes())
        if content in names_by_content:
            same_as[name] = names_by_content[content]
            continue
        names_by_content[content] = name
        tensors[name] = tensor.half() if half and tensor.is_floating_point() else tensor
    metadata = {"format": FORMAT, "steps": str(steps), "same_as": json.dumps(same_as)}
    write_file(path, save(tensors, metadata))


def read_policy(path: Path) -> tuple[dict[str, Tensor], int]:
    """Returns the weights by name, and the steps for which the agent was trained.

    Raises:
        UsageError: it can't be read, or holds something else.
    """
    from safetensors import SafetensorError, safe_open

    try:
        if path.stat().st_size > MAX_BYTES:
            raise ValueError(f"{path.stat().st_size:,} bytes are more than any policy has")
        with safe_open(path, "pt", device="cpu") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != FORMAT:
                raise ValueError(f"its format is {metadata.get('format')!r:.40}, not {FORMAT!r}")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        same_as = dict(json.loads(metadata["same_as"]))
        weights = tensors | {name: tensors[other] for name, other in same_as.items()}
        steps = int(metadata["steps"])
        if steps < 0:
            raise ValueError(f"it was trained for {steps} steps")
        if endless := [name for name, tensor in tensors.items() if not tensor.isfinite().all()]:
            raise ValueError(f"{endless[0]!r:.80} has numbers that are not finite")
    except (OSError, SafetensorError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise UsageError(f"{path} holds no policy: {error}") from None
    return {name: _single(tensor) for name, tensor in weights.items()}, steps


def _single(tensor: Tensor) -> Tensor:
    """Returns the tensor with 32 bits a number, where 16 were stored."""
    is_half = tensor.is_floating_point() and tensor.element_size() == 2
    return tensor.float() if is_half else tensor
