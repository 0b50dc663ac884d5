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
    PooledSoftmaxAttention     as SoftmaxAttention, which it equals on a grid as fine as the map

Every name under the prefix is read, or refused: what ours leaves unread, theirs computes with.

Options that no state dict tells are the caller's to give to our constructor: the number of heads of
an attention; the agents' grid; of "softmax" `rescale=False`; a scan's fusion ("cv-relu" is theirs),
threshold, and routes ("C", "X", "S" and, for four heads, "Z", in this order). Nor does one tell of
torch's `add_zero_attn`, which ours does not have.
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

HARMLESS = ("relative_position_index",)
"""Buffers that may stay unread: of no effect without a weight, which would be refused."""

ALIASES = {"x_ssproj_W": "x_ssproj.weight", "scanning.seq2seq_engine.": "mambaeng."}
"""Parts of names under which MHS-VM's modules hold a weight once more, and its first name."""

QKV_BIASES = ("qkv.bias", "q.bias", "kv.bias", "in_proj_bias")
"""What ours reads if it was made with `qkv_bias`."""


class _Noted(dict[str, Tensor]):
    """Notes which weights have been read."""

    def __init__(self, weights: Weights) -> None:
        super().__init__(weights)
        self.read: set[str] = set()

    def __getitem__(self, name: str) -> Tensor:
        weight = super().__getitem__(name)
        self.read.add(name)
        return weight


def from_authors(mechanism: nn.Module, weights: Weights, prefix: str = "") -> dict[str, Tensor]:
    """Returns the state dict of a mechanism of ours that computes what the authors' module does.

    Args:
        mechanism: one of ours, of the same sizes; of what `make_mechanism` returns, its
            `mechanism`.
        weights: the state dict of the authors' module, or of a whole model of theirs.
        prefix: what names of the module begin with in it, and no others do.

    Raises:
        UsageError: a name is absent, a shape is another one, a weight would stay unread, or the
            module computes what ours does not.
    """
    theirs = _Noted({n.removeprefix(prefix): w for n, w in weights.items() if n.startswith(prefix)})
    try:
        ours = _reader(mechanism)(mechanism, theirs)
    except KeyError as error:
        raise UsageError(
            f"no weight is named {prefix}{error.args[0]}, which {type(mechanism).__name__} needs"
            f"{_bias_hint(error.args[0], 'False')}; names that begin with {prefix!r}:"
            f" {', '.join(sorted(theirs)) or 'none'}"
        ) from None
    except (IndexError, RuntimeError) as error:  # an axis is missing, or sizes do not go together
        raise UsageError(
            f"the shapes of the authors' weights do not fit this {type(mechanism).__name__}"
            f" ({error}); make it with the same sizes"
        ) from error
    _refuse_unread(mechanism, theirs, prefix)
    for name, expected in mechanism.state_dict().items():
        if ours[name].shape != expected.shape:
            raise UsageError(
                f"the authors' weights give {name} the shape {tuple(ours[name].shape)}, and this"
                f" {type(mechanism).__name__} has {tuple(expected.shape)}; make it with the same"
                " sizes"
            )
    return ours


def _refuse_unread(mechanism: nn.Module, theirs: _Noted, prefix: str) -> None:
    """Checks that every weight was read, so that the mechanism computes what theirs did.

    Raises:
        UsageError: one was not, and is neither harmless nor a second name of one that was.
    """
    unread = sorted(n for n in theirs.keys() - theirs.read if not _changes_nothing(n, theirs))
    if unread:
        raise UsageError(
            f"{type(mechanism).__name__} has no place for {', '.join(prefix + n for n in unread)},"
            f" without which it would compute something else; it takes"
            f" {', '.join(sorted(theirs.read))}. Give the prefix of the module alone, and make ours"
            f" with the options of theirs{_bias_hint(unread[0], 'True')}; a weight that"
            " has no effect may be left out of the state dict"
        )


def _changes_nothing(name: str, theirs: _Noted) -> bool:
    """Returns whether a weight may stay unread: a harmless one, or one read by its first name."""
    first = name
    for alias, part in ALIASES.items():
        first = first.replace(alias, part)
    return name in HARMLESS or (first in theirs.read and torch.equal(theirs[first], theirs[name]))


def _bias_hint(name: str, given: str) -> str:
    """Returns what to do about a bias of Q, K and V that one side has and the other lacks."""
    return f" (make it with qkv_bias={given})" if name in QKV_BIASES else ""


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


def _scan(ours: MultiHeadScan, theirs: Weights, prefix: str = "") -> dict[str, Tensor]:
    heads = [f"{prefix}scanhead_{pattern}.mambaeng." for pattern in "CXSZ"[: ours.heads]]
    return {
        "subspaces.weight": theirs[f"{prefix}x_ssproj.weight"],
        "norm.weight": theirs[f"{prefix}cat_norm.weight"],
        "norm.bias": theirs[f"{prefix}cat_norm.bias"],
        "out.weight": theirs[f"{prefix}y_proj.weight"],
    } | _routes(ours.scan.size, theirs, heads)


def _gated_scan(ours: GatedScan, theirs: Weights) -> dict[str, Tensor]:
    weight = theirs["out_norm.weight"]
    return _entry(theirs) | {
        "out.weight": torch.eye(len(weight), dtype=weight.dtype, device=weight.device),
        "out.bias": torch.zeros_like(weight),
        **{f"mix.{name}": w for name, w in _scan(ours.mix, theirs, "mhs.").items()},
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
    torchs = "out_proj.weight" in theirs
    inside, outside = ("in_proj_", "out_proj.") if torchs else ("qkv.", "proj.")
    state = {"out.weight": theirs[f"{outside}weight"]}
    if torchs and not {"in_proj_bias", "out_proj.bias"} & theirs.keys():
        # Torch's module has both or, made with bias=False, neither; then adding 0 is the same.
        state["out.bias"] = torch.zeros_like(state["out.weight"][:, 0])
    else:
        state["out.bias"] = theirs[f"{outside}bias"]
    for kind in ("weight", "bias") if ours.qkv.bias is not None else ("weight",):
        state[f"qkv.{kind}"] = theirs[f"{inside}{kind}"]
    return state
