"""Maps weights of the authors' own modules to ours, by the names that stand in their state dicts.

    weights = torch.load("agent_deit_tiny.pth", weights_only=True)["model"]
    ours.load_state_dict(from_authors(ours, weights, prefix="blocks.0.attn."))

Only names, shapes and the order of axes are used here; neither code nor weights of theirs come with
this package, and whoever loads a file of theirs minds its licence. Whose modules are meant:

    AgentAttention             Agent-Attention's `AgentAttention`, with `qkv` or with `q` and `kv`,
                               square maps, with a class token or without
    GaussianAdaptiveAttention  "gate": DAAM-PEFT's `DAAM` and `MultiHeadDAAM`; "softmax": the
                               library's `MultiHeadGaussianAdaptiveAttention` to version 0.1.5, as
                               in its `GaussianBlock` (later ones, with `weights`, compute another
                               function)
    MultiHeadScan              MHS-VM's `MHSM`, with its projection
    GatedScan                  MHS-VM's `VSSGate`; the last layer, which it lacks, passes all on
    SS2D                       VMamba's and VM-UNet's `SS2D`
    SoftmaxAttention           `torch.nn.MultiheadAttention`, or `qkv` and `proj` as in timm's ViT

Options that no state dict tells are the caller's to give to our constructor: the number of heads of
an attention; the agents' grid; of "softmax" `rescale=False`; a scan's fusion ("cv-relu" is theirs),
threshold, and routes ("C", "X", "S" and, for four heads, "Z", in this order).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from agents.encoders.agent import AgentAttention
from agents.encoders.gaussian import FLOOR, GaussianAdaptiveAttention
from agents.encoders.scan import GatedScan, MultiHeadScan
from agents.encoders.softmax import PooledSoftmaxAttention, SoftmaxAttention
from agents.encoders.ss2d import SS2D
from calm.errors import UsageError

Weights = Mapping[str, Tensor]


def from_authors(mechanism: nn.Module, weights: Weights, prefix: str = "") -> dict[str, Tensor]:
    """Returns the state dict of a mechanism of ours that computes what the authors' module does.

    Args:
        mechanism: one of ours, of the same sizes; of what `make_mechanism` returns, its
            `mechanism`.
        weights: the state dict of the authors' module, or of a whole model of theirs.
        prefix: what names of the module begin with in it.

    Raises:
        UsageError: a name is absent, a shape is another one, or the module computes what ours
            does not.
    """
    theirs = {
        name.removeprefix(prefix): w for name, w in weights.items() if name.startswith(prefix)
    }
    try:
        ours = _reader(mechanism)(mechanism, theirs)
    except KeyError as error:
        raise UsageError(
            f"no weight is named {prefix}{error.args[0]}, which {type(mechanism).__name__} needs;"
            f" names that begin with {prefix!r}: {', '.join(sorted(theirs)) or 'none'}"
        ) from None
    for name, expected in mechanism.state_dict().items():
        if ours[name].shape != expected.shape:
            raise UsageError(
                f"the authors' weights give {name} the shape {tuple(ours[name].shape)}, and this"
                f" {type(mechanism).__name__} has {tuple(expected.shape)}; make it with the same"
                " sizes"
            )
    return ours


def _reader(mechanism: nn.Module) -> Callable[[nn.Module, Weights], dict[str, Tensor]]:
    """Returns the function that maps the names of this kind of module.

    Raises:
        UsageError: the authors of none have published such a module.
    """
    readers: dict[type, Callable[..., dict[str, Tensor]]] = {
        AgentAttention: _agent,
        GaussianAdaptiveAttention: _gaussian,
        MultiHeadScan: _scan,
        GatedScan: _gated_scan,
        SS2D: _ss2d,
        SoftmaxAttention: _softmax,
        PooledSoftmaxAttention: _softmax,
    }
    if type(mechanism) not in readers:
        raise UsageError(
            f"there are no authors' weights for {type(mechanism).__name__}; there are for"
            f" {', '.join(kind.__name__ for kind in readers)}"
        )
    return readers[type(mechanism)]


def _agent(ours: AgentAttention, theirs: Weights) -> dict[str, Tensor]:
    if "sr.weight" in theirs:
        raise UsageError("this module reduces its keys (sr_ratio above 1); ours does not")
    state = {
        "out.weight": theirs["proj.weight"],
        "out.bias": theirs["proj.bias"],
        "conv.weight": theirs["dwc.weight"],
        "conv.bias": theirs["dwc.bias"],
        "bias_table": torch.stack([theirs["an_bias"], theirs["na_bias"]]),
        # Their biases of the second softmax have the agents last.
        "bias_rows": torch.stack(
            [theirs["ah_bias"][0, ..., 0], theirs["ha_bias"][0, :, :, 0].transpose(1, 2)]
        ),
        "bias_columns": torch.stack(
            [theirs["aw_bias"][0, :, :, 0], theirs["wa_bias"][0, :, 0].transpose(1, 2)]
        ),
    }
    if ours.bias_extra is not None:
        both = [theirs["ac_bias"][0], theirs["ca_bias"][0].transpose(1, 2)]
        state["bias_extra"] = torch.stack(both)
    for kind in ("weight", "bias") if ours.qkv.bias is not None else ("weight",):
        if "qkv.weight" in theirs:
            state[f"qkv.{kind}"] = theirs[f"qkv.{kind}"]
        else:
            state[f"qkv.{kind}"] = torch.cat([theirs[f"q.{kind}"], theirs[f"kv.{kind}"]])
    return state


def _gaussian(ours: GaussianAdaptiveAttention, theirs: Weights) -> dict[str, Tensor]:
    if ours.form == "mixture":
        raise UsageError("the authors' weights are known of the forms gate and softmax alone")
    if ours.form == "gate":
        offset, heads = "mean_offset", [f"daams.{i}." for i in range(ours.heads)]
    else:
        offset, heads = "mean_offsets", [f"attention_heads.{i}." for i in range(ours.heads)]
    if ours.heads == 1 and "c" in theirs:
        heads = [""]
    if any(f"{head}weights" in theirs for head in heads):
        raise UsageError(
            "this version of the library mixes its Gaussians by `weights`; ours multiplies them,"
            " as versions to 0.1.5 do"
        )
    width = torch.stack([theirs[f"{head}c"].flatten() for head in heads])
    if ours.form == "gate":
        if bool((width <= FLOOR).any()):
            raise UsageError(f"a variance of the gate (c) is not above {FLOOR}, ours' least")
        raw = (width - FLOOR) + (-(FLOOR - width).expm1()).log()  # the inverse of softplus
    else:
        if bool((width.abs() <= FLOOR).any()):
            raise UsageError(f"a width (c) is not above {FLOOR}, ours' least, in absolute value")
        raw = (width.abs() - FLOOR).log()  # theirs counts by its square
    offsets = torch.stack([theirs[f"{head}{offset}"].flatten() for head in heads])
    return {"offset": offsets, "raw_width": raw}


def _scan(ours: MultiHeadScan, theirs: Weights) -> dict[str, Tensor]:
    patterns = "CXSZ"[: ours.heads]
    heads = [f"scanhead_{pattern}.mambaeng." for pattern in patterns]
    return {
        "subspaces.weight": theirs["x_ssproj.weight"],
        "norm.weight": theirs["cat_norm.weight"],
        "norm.bias": theirs["cat_norm.bias"],
        "out.weight": theirs["y_proj.weight"],
    } | _routes(ours.scan.size, theirs, heads)


def _gated_scan(ours: GatedScan, theirs: Weights) -> dict[str, Tensor]:
    inner = {n.removeprefix("mhs."): w for n, w in theirs.items() if n.startswith("mhs.")}
    weight = theirs["out_norm.weight"]
    return _entry(theirs) | {
        "out.weight": torch.eye(len(weight), dtype=weight.dtype, device=weight.device),
        "out.bias": torch.zeros_like(weight),
        **{f"mix.{name}": w for name, w in _scan(ours.mix, inner).items()},
    }


def _ss2d(ours: SS2D, theirs: Weights) -> dict[str, Tensor]:
    last = {"out.weight": theirs["out_proj.weight"]}
    return _entry(theirs) | last | _routes(ours.scan.size, theirs, [""])


def _entry(theirs: Weights) -> dict[str, Tensor]:
    """Returns the layers around the scan that MHS-VM's and VM-UNet's blocks name alike."""
    return {
        "inside.weight": theirs["in_proj.weight"],
        "conv.weight": theirs["conv2d.weight"],
        "conv.bias": theirs["conv2d.bias"],
        "norm.weight": theirs["out_norm.weight"],
        "norm.bias": theirs["out_norm.bias"],
    }


def _routes(size: int, theirs: Weights, heads: list[str]) -> dict[str, Tensor]:
    """Returns the weights of a `RouteScan`, whose groups are all routes of one head after another.

    Args:
        size: channels of a head.
        theirs: by name.
        heads: what the names of each head begin with.
    """

    def joined(name: str) -> Tensor:
        return torch.cat([theirs[head + name] for head in heads])

    state = {
        "read": joined("x_proj_weight"),
        "step": joined("dt_projs_weight").transpose(1, 2),
        "step_bias": joined("dt_projs_bias"),
        "log_rate": joined("A_logs"),
        "skip": torch.stack([theirs[f"{head}Ds"].view(-1, size) for head in heads]),
    }
    return {f"scan.{name}": w for name, w in state.items()}


def _softmax(ours: SoftmaxAttention, theirs: Weights) -> dict[str, Tensor]:
    torchs = "in_proj_weight" in theirs
    inside, outside = ("in_proj_", "out_proj.") if torchs else ("qkv.", "proj.")
    state = {f"out.{kind}": theirs[f"{outside}{kind}"] for kind in ("weight", "bias")}
    for kind in ("weight", "bias") if ours.qkv.bias is not None else ("weight",):
        state[f"qkv.{kind}"] = theirs[f"{inside}{kind}"]
    return state
