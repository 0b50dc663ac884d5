"""Attention mechanisms that mix the cells of a map, each a plain torch module in its own file.

    mechanism = make_mechanism("agent", dim=64, height=21, width=79, heads=4)
    tokens = tokens + mechanism(norm(tokens), mask)      # (batch, height * width, dim)

`mask` (batch, height * width) is True at valid cells, or None. A masked cell changes nothing and
gets 0. `make_mechanism` scales the result by 0.1 at the start (`scaled.py`), so that the line above
starts near the identity. The modules are imported when one is made.

The classes are here too, `from agents.encoders import AgentAttention`, with every option of their
own. Class-semantics attention gates features over time rather than over a map and so is a class
alone, `ClassSemanticsAttention`, and not in `MECHANISMS`.
The scan itself is the function `agents.encoders.selective_scan.selective_scan`. `from_authors` maps
the state dicts of the authors' modules to ours, and `torch.export` takes every class. What several
mechanisms share lies beside them: masks, pooling, routes over a map, scans along routes.
"""

from __future__ import annotations

from importlib import import_module
from math import isfinite
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, NamedTuple

from calm.errors import UsageError, unknown
from calm.lazy_names import load_name

if TYPE_CHECKING:
    from torch import nn

    from agents.encoders.agent import AgentAttention
    from agents.encoders.authors import from_authors
    from agents.encoders.gaussian import GaussianAdaptiveAttention
    from agents.encoders.scan import GatedScan, MultiHeadScan
    from agents.encoders.semantics import ClassSemanticsAttention
    from agents.encoders.softmax import PooledSoftmaxAttention, SoftmaxAttention
    from agents.encoders.squeeze import SqueezeExcitation
    from agents.encoders.ss2d import SS2D

__all__ = [
    "MECHANISMS",
    "SS2D",
    "AgentAttention",
    "ClassSemanticsAttention",
    "GatedScan",
    "GaussianAdaptiveAttention",
    "Mechanism",
    "MultiHeadScan",
    "PooledSoftmaxAttention",
    "SoftmaxAttention",
    "SqueezeExcitation",
    "from_authors",
    "make_mechanism",
]


class Mechanism(NamedTuple):
    """Where the class of a mechanism is, and what its constructor asks for."""

    module: str
    """Of `agents.encoders`."""
    name: str
    """Of the class."""
    sized: bool
    """Whether it takes height and width: it was built for maps of one shape."""
    defaults: dict[str, Any]
    """Options where they differ from the class's own."""
    about: str
    """What it does, in a few words."""
    joins: bool = False
    """Whether tokens without a place on the map (message, inventory, status) may join, in front."""


MECHANISMS: dict[str, Mechanism] = {
    "agent": Mechanism(
        "agent", "AgentAttention", True, {"heads": 4}, "softmax through a few pooled agents", True
    ),
    "gaussian": Mechanism(
        "gaussian", "GaussianAdaptiveAttention", False, {}, "gates by how typical a feature is"
    ),
    "scan": Mechanism(
        "scan", "MultiHeadScan", True, {"fusion": "sigmoid"}, "scans along several routes"
    ),
    "gated-scan": Mechanism(
        "scan", "GatedScan", True, {}, "scan with the convolution and gate of its block"
    ),
    "softmax": Mechanism(
        "softmax", "SoftmaxAttention", False, {"heads": 4}, "every cell looks at every cell", True
    ),
    "pooled": Mechanism(
        "softmax", "PooledSoftmaxAttention", True, {"heads": 4}, "softmax with pooled keys"
    ),
    "squeeze": Mechanism(
        "squeeze", "SqueezeExcitation", False, {}, "channels gated by their mean over the map"
    ),
    "ss2d": Mechanism("ss2d", "SS2D", True, {}, "the four-way scan of VMamba"),
}


_SIZES = ("dim", "height", "width", "extra_tokens")
"""What `make_mechanism` is given of every mechanism, whether or not its class asks for it."""

_HOMES = {entry.name: f"{__name__}.{entry.module}" for entry in MECHANISMS.values()} | {
    "ClassSemanticsAttention": f"{__name__}.semantics",
    "from_authors": f"{__name__}.authors",
}


def __getattr__(name: str) -> Any:
    """Loads a class when it is first used, since torch takes a second to load.

    Raises:
        AttributeError: there is no such class.
    """
    return load_name(globals(), _HOMES, name)


def make_mechanism(
    name: str, dim: int, height: int, width: int, *, extra_tokens: int = 0, **options: Any
) -> nn.Module:
    """Returns a new mechanism for maps of height x width cells and dim channels.

    Its forward pass takes tokens (batch, N, dim) and a mask (batch, N) bool, True where valid, or
    None, and returns the tokens' shape; N is extra_tokens + height * width.

    Args:
        name: one of `MECHANISMS`.
        dim: channels.
        height: rows of the map.
        width: columns of the map.
        extra_tokens: tokens in front of the cells that have no place on the map, see
            `Mechanism.joins`.
        **options: of its class, over the defaults of `MECHANISMS`.

    Raises:
        UsageError: no mechanism has this name, extra tokens cannot join it, or it can't be made
            with these sizes and options.
    """
    if str(name) not in MECHANISMS:
        raise unknown("mechanism", str(name), MECHANISMS)
    from agents.encoders.scaled import Scaled

    entry = MECHANISMS[name]
    if extra_tokens and not entry.joins:
        raise UsageError(f"{name} mixes the cells of a map; tokens without a place can't join it")
    kind = getattr(import_module(f"agents.encoders.{entry.module}"), entry.name)
    size = {"height": height, "width": width}
    taken = {**(size if entry.sized else {}), **entry.defaults, **options}
    if entry.sized and extra_tokens:
        taken["extra_tokens"] = extra_tokens
    try:
        _check_sizes(kind, {"dim": dim, **size, "extra_tokens": extra_tokens, **taken})
        mechanism = kind(dim, **taken)
    except (TypeError, ValueError, LookupError, ArithmeticError, RuntimeError) as error:
        sizes_and_options = {"dim": dim, **size, **options}
        raise UsageError(
            f"{name} can't be made with the options {sizes_and_options}: {error}"
        ) from error
    return Scaled(mechanism, dim)


def _check_sizes(kind: type, given: dict[str, Any]) -> None:
    """Checks that what a mechanism's constructor takes as numbers can be the sizes of something.

    Torch makes empty or broken layers of many numbers that can't, which fail when they are used.

    Args:
        kind: the class, whose annotations tell what each option is.
        given: by name, the map's sizes and the options.

    Raises:
        ValueError: one is below its least, not finite, or no number.
    """
    from inspect import signature

    options = signature(kind, eval_str=True).parameters
    kinds = dict.fromkeys(_SIZES, int) | {n: option.annotation for n, option in options.items()}
    for name, value in given.items():
        of, least = kinds.get(name), 0 if name == "extra_tokens" else 1
        if of is int and not _is_count(value, least):
            raise ValueError(f"{name} is a whole number, {least} or more, not {value!r}")
        if of == tuple[int, int] and not _is_grid(value):
            raise ValueError(f"{name} is two whole numbers, 1 or more, not {value!r}")
        if of is float and not (isinstance(value, Real) and isfinite(value)):
            raise ValueError(f"{name} is a finite number, not {value!r}")


def _is_count(value: object, least: int = 1) -> bool:
    return isinstance(value, Integral) and int(value) >= least


def _is_grid(value: object) -> bool:
    return isinstance(value, tuple | list) and len(value) == 2 and all(map(_is_count, value))
