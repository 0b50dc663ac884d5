"""Weights named and shaped as the authors' give the numbers of the authors' formulas.

The state dicts are made up here: their names and shapes are what the published modules have.
"""

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from agents.encoders import (
    SS2D,
    AgentAttention,
    GatedScan,
    GaussianAdaptiveAttention,
    MultiHeadScan,
    PooledSoftmaxAttention,
    SoftmaxAttention,
    SqueezeExcitation,
    from_authors,
)
from agents.encoders.routes import scan_routes
from calm.errors import UsageError

Weights = dict[str, Tensor]


def drawn(shapes: dict[str, tuple[int, ...]]) -> Weights:
    generator = torch.Generator().manual_seed(0)
    return {
        name: 0.5 * torch.randn(shape, generator=generator, dtype=torch.float64)
        for name, shape in shapes.items()
    }


def loaded(ours: nn.Module, weights: Weights, prefix: str = "") -> nn.Module:
    ours = ours.double()
    ours.load_state_dict(from_authors(ours, weights, prefix))
    return ours


def tokens(count: int, dim: int) -> Tensor:
    return torch.randn(
        2, count, dim, dtype=torch.float64, generator=torch.Generator().manual_seed(1)
    )


# Agent attention

DIM, HEADS, SIDE, AGENTS = 6, 2, 4, 4


def agent_weights(cls: bool, apart: bool = False) -> Weights:
    shapes: dict[str, tuple[int, ...]] = {
        "proj.weight": (DIM, DIM),
        "proj.bias": (DIM,),
        "dwc.weight": (DIM, 1, 3, 3),
        "dwc.bias": (DIM,),
        "an_bias": (HEADS, AGENTS, 7, 7),
        "na_bias": (HEADS, AGENTS, 7, 7),
        "ah_bias": (1, HEADS, AGENTS, SIDE, 1),
        "aw_bias": (1, HEADS, AGENTS, 1, SIDE),
        "ha_bias": (1, HEADS, SIDE, 1, AGENTS),
        "wa_bias": (1, HEADS, 1, SIDE, AGENTS),
    }
    if apart:
        shapes |= {"q.weight": (DIM, DIM), "q.bias": (DIM,)}
        shapes |= {"kv.weight": (2 * DIM, DIM), "kv.bias": (2 * DIM,)}
    else:
        shapes |= {"qkv.weight": (3 * DIM, DIM), "qkv.bias": (3 * DIM,)}
    if cls:
        shapes |= {"ac_bias": (1, HEADS, AGENTS, 1), "ca_bias": (1, HEADS, 1, AGENTS)}
    return drawn(shapes)


def resized(table: Tensor) -> Tensor:
    """(heads, agents, 7, 7) to (heads, agents, cells)."""
    return F.interpolate(table, (SIDE, SIDE), mode="bilinear").flatten(2)


def agent_formula(w: Weights, x: Tensor, cls: bool) -> Tensor:
    """The paper's steps, on a square map with or without a class token in front."""
    first = int(cls)
    qkv = x @ w["qkv.weight"].t() + w["qkv.bias"]
    q, k, v = qkv.split(DIM, -1)
    on_map = q[:, first:].transpose(1, 2).unflatten(2, (SIDE, SIDE))
    agents = F.adaptive_avg_pool2d(on_map, math.isqrt(AGENTS)).flatten(2).transpose(1, 2)
    gather = resized(w["an_bias"]) + (w["ah_bias"] + w["aw_bias"])[0].flatten(2)
    give = resized(w["na_bias"]).transpose(1, 2)
    give = give + (w["ha_bias"] + w["wa_bias"])[0].flatten(1, 2)
    if cls:
        gather = torch.cat([w["ac_bias"][0], gather], -1)
        give = torch.cat([w["ca_bias"][0], give], -2)
    q, k, vs, agents = (t.unflatten(2, (HEADS, -1)).transpose(1, 2) for t in (q, k, v, agents))
    root = math.sqrt(DIM // HEADS)
    held = torch.softmax(agents @ k.transpose(-1, -2) / root + gather, -1) @ vs
    mixed = torch.softmax(q @ agents.transpose(-1, -2) / root + give, -1) @ held
    out = mixed.transpose(1, 2).flatten(2)
    grid = v[:, first:].transpose(1, 2).unflatten(2, (SIDE, SIDE))
    local = F.conv2d(grid, w["dwc.weight"], w["dwc.bias"], padding=1, groups=DIM)
    out[:, first:] += local.flatten(2).transpose(1, 2)
    return out @ w["proj.weight"].t() + w["proj.bias"]


@pytest.mark.parametrize("cls", [False, True], ids=["map", "class token"])
def test_agent_attention(cls: bool) -> None:
    w, x = agent_weights(cls), tokens(SIDE * SIDE + cls, DIM)
    ours = AgentAttention(DIM, HEADS, SIDE, SIDE, (2, 2), extra_tokens=int(cls))
    assert torch.allclose(loaded(ours, w)(x), agent_formula(w, x, cls), rtol=0, atol=1e-13)


def test_agent_attention_with_queries_apart_and_in_a_model() -> None:
    w, x = agent_weights(cls=False, apart=True), tokens(SIDE * SIDE, DIM)
    joined = w | {f"qkv.{k}": torch.cat([w[f"q.{k}"], w[f"kv.{k}"]]) for k in ("weight", "bias")}
    model = {f"blocks.3.attn.{name}": weight for name, weight in w.items()} | {"head": w["q.bias"]}
    ours = loaded(AgentAttention(DIM, HEADS, SIDE, SIDE, (2, 2)), model, "blocks.3.attn.")
    assert torch.allclose(ours(x), agent_formula(joined, x, cls=False), rtol=0, atol=1e-13)


# Gaussian adaptive attention


@pytest.mark.parametrize("heads", [1, 2])
def test_the_gate(heads: int) -> None:
    w = {}
    for i in range(heads):
        drawn_head = drawn({"c": (1, DIM), "mean_offset": (1, DIM)})
        name = f"daams.{i}." if heads > 1 else ""
        w |= {f"{name}c": 1.5 + drawn_head["c"].abs() + i}
        w |= {f"{name}mean_offset": drawn_head["mean_offset"] - i}
    x, parts = tokens(10, DIM), []
    for i, y in enumerate(x.chunk(heads, 1)):
        name = f"daams.{i}." if heads > 1 else ""
        mean, square = y.mean(1, keepdim=True), y.square().mean(1, keepdim=True)
        variance = (square - mean**2).abs() + 1e-8
        z = (y - mean - w[f"{name}mean_offset"]) / (variance + 1e-5).sqrt()
        parts.append(y * torch.exp(-(z**2) / (2 * w[f"{name}c"])))
    ours = loaded(GaussianAdaptiveAttention(DIM, heads), w)
    assert torch.allclose(ours(x), torch.cat(parts, 1), rtol=0, atol=1e-13)


def test_the_librarys_product_of_gaussians() -> None:
    """A width below 0 counts as the one above: it enters by its square."""
    w = {
        "layers.0.attention_heads.0.mean_offsets": torch.tensor([0.1, -0.3], dtype=torch.float64),
        "layers.0.attention_heads.0.c": torch.tensor([1.2, -0.8], dtype=torch.float64),
    }
    x = tokens(9, DIM)
    variance = x.var(1, keepdim=True) + 1e-8
    density = torch.ones_like(x)
    for offset, c in ((0.1, 1.2), (-0.3, 0.8)):
        z2 = (x - x.mean(1, keepdim=True) - offset) ** 2 / variance
        density = density * torch.exp(-z2 / (2 * c**2)) / math.sqrt(2 * math.pi * c**2)
    expected = x * density / density.sum(1, keepdim=True)
    ours = GaussianAdaptiveAttention(DIM, form="softmax", gaussians=2, rescale=False)
    assert torch.allclose(loaded(ours, w, "layers.0.")(x), expected, rtol=0, atol=1e-13)


def test_gaussians_that_compute_something_else_are_refused() -> None:
    ours = GaussianAdaptiveAttention(DIM, form="softmax", gaussians=2)
    pair = torch.ones(2)
    with pytest.raises(UsageError, match="mixes its Gaussians by `weights`"):
        from_authors(ours, {"mean_offsets": pair, "c": pair, "weights": pair})
    with pytest.raises(UsageError, match="not above"):
        from_authors(ours, {"mean_offsets": pair, "c": torch.tensor([1.0, 0.0])})
    with pytest.raises(UsageError, match="not above"):
        from_authors(
            GaussianAdaptiveAttention(2), {"mean_offset": pair[None], "c": torch.zeros(1, 2)}
        )
    with pytest.raises(UsageError, match="forms gate and softmax"):
        from_authors(GaussianAdaptiveAttention(DIM, form="mixture"), {})


# Scans

HIGH, WIDE, STATE = 2, 3, 3


def engine_shapes(size: int, rank: int = 1) -> dict[str, tuple[int, ...]]:
    return {
        "x_proj_weight": (4, rank + 2 * STATE, size),
        "dt_projs_weight": (4, size, rank),
        "dt_projs_bias": (4, size),
        "A_logs": (4 * size, STATE),
        "Ds": (4 * size,),
    }


def engine_formula(w: Weights, prefix: str, u: Tensor, walks: list[list[int]]) -> list[Tensor]:
    """Mamba's recurrence along each of four routes; u and results (batch, cells, size)."""
    x_proj, dt, bias, A_logs, D = (w[prefix + name] for name in engine_shapes(1))
    size, rank = u.shape[2], dt.shape[2]
    results = []
    for k, walk in enumerate(walks):
        A = -A_logs.view(4, size, STATE)[k].exp()
        y = torch.zeros_like(u)
        for b in range(len(u)):
            h = torch.zeros(size, STATE, dtype=u.dtype)
            for cell in walk:
                low, B, C = (x_proj[k] @ u[b, cell]).split([rank, STATE, STATE])
                delta = F.softplus(dt[k] @ low + bias[k])
                h = torch.exp(delta[:, None] * A) * h + (delta * u[b, cell])[:, None] * B
                y[b, cell] = h @ C + D.view(4, size)[k] * u[b, cell]
        results.append(y)
    return results


def mhsm_shapes(dim: int, patterns: str) -> dict[str, tuple[int, ...]]:
    size = dim // len(patterns)
    inner = size * len(patterns)
    shapes: dict[str, tuple[int, ...]] = {
        "x_ssproj.weight": (inner, dim),
        "cat_norm.weight": (inner,),
        "cat_norm.bias": (inner,),
        "y_proj.weight": (dim, inner),
    }
    for p in patterns:
        shapes |= {f"scanhead_{p}.mambaeng.{n}": s for n, s in engine_shapes(size).items()}
    return shapes


def under_both_names(w: Weights) -> Weights:
    """As their state dict is: one weight and one module of each head are in it twice."""
    names = {"mambaeng.": "scanning.seq2seq_engine.", "x_ssproj.weight": "x_ssproj_W"}
    again = {name.replace(a, b): w[name] for name in w for a, b in names.items() if a in name}
    return w | again


def mhsm_formula(w: Weights, x: Tensor, patterns: str, threshold: float) -> Tensor:
    """Scan along a pattern's routes, fuse by the coefficient of variation, norm, project."""
    size = w["x_ssproj.weight"].shape[0] // len(patterns)
    fused = []
    for p, u in zip(patterns, (x @ w["x_ssproj.weight"].t()).split(size, -1), strict=True):
        first, second = scan_routes(HIGH, WIDE)[p].tolist()
        walks = [first, first[::-1], second, second[::-1]]
        ys = torch.stack(engine_formula(w, f"scanhead_{p}.mambaeng.", u, walks))
        cv = ys.std(0) / ((ys - ys.amin(0)).mean(0) + 1e-5)
        fused.append(ys.sum(0) * F.relu(cv - threshold))
    joined = torch.cat(fused, -1)
    normed = F.layer_norm(joined, joined.shape[-1:], w["cat_norm.weight"], w["cat_norm.bias"])
    return normed @ w["y_proj.weight"].t()


@pytest.mark.parametrize(("dim", "patterns"), [(8, "CXSZ"), (7, "CXS")])
def test_multi_head_scan(dim: int, patterns: str) -> None:
    w, x = under_both_names(drawn(mhsm_shapes(dim, patterns))), tokens(HIGH * WIDE, dim)
    ours = loaded(MultiHeadScan(dim, HIGH, WIDE, tuple(patterns), STATE, threshold=0.4), w)
    expected = mhsm_formula(w, x, patterns, 0.4)
    assert torch.allclose(ours(x), expected, rtol=0, atol=1e-11)


def around_shapes(dim: int, inner: int) -> dict[str, tuple[int, ...]]:
    return {
        "in_proj.weight": (2 * inner, dim),
        "conv2d.weight": (inner, 1, 3, 3),
        "conv2d.bias": (inner,),
        "out_norm.weight": (inner,),
        "out_norm.bias": (inner,),
    }


def entered(w: Weights, x: Tensor) -> tuple[Tensor, Tensor]:
    """What both blocks do before they scan: the scan's input and the gate."""
    x, z = (x @ w["in_proj.weight"].t()).chunk(2, -1)
    grid = x.transpose(1, 2).unflatten(2, (HIGH, WIDE))
    grid = F.conv2d(grid, w["conv2d.weight"], w["conv2d.bias"], padding=1, groups=grid.shape[1])
    return F.silu(grid).flatten(2).transpose(1, 2), F.silu(z)


def normed(w: Weights, y: Tensor) -> Tensor:
    return F.layer_norm(y, y.shape[-1:], w["out_norm.weight"], w["out_norm.bias"])


def test_the_gated_block() -> None:
    inside = {f"mhs.{name}": shape for name, shape in mhsm_shapes(8, "CXSZ").items()}
    w, x = under_both_names(drawn(around_shapes(8, 8) | inside)), tokens(HIGH * WIDE, 8)
    u, gate = entered(w, x)
    inner = {name.removeprefix("mhs."): weight for name, weight in w.items()}
    expected = normed(w, mhsm_formula(inner, u, "CXSZ", 0.5)) * gate
    ours = loaded(GatedScan(8, HIGH, WIDE, state=STATE, fusion="cv-relu"), w)
    assert torch.allclose(ours(x), expected, rtol=0, atol=1e-11)


@pytest.mark.parametrize("expand", [1, 2])
def test_ss2d(expand: int) -> None:
    dim, inner = 5, 5 * expand
    shapes = around_shapes(dim, inner) | engine_shapes(inner) | {"out_proj.weight": (dim, inner)}
    w, x = drawn(shapes), tokens(HIGH * WIDE, dim)
    u, gate = entered(w, x)
    rows, columns = scan_routes(HIGH, WIDE)["Z"].tolist()
    y = sum(engine_formula(w, "", u, [rows, columns, rows[::-1], columns[::-1]]), torch.zeros(1))
    expected = (normed(w, y) * gate) @ w["out_proj.weight"].t()
    ours = loaded(SS2D(dim, HIGH, WIDE, expand, STATE), w)
    assert torch.allclose(ours(x), expected, rtol=0, atol=1e-12)


# Softmax attention, and what is refused


@pytest.mark.parametrize("bias", [False, True])
def test_torchs_multi_head_attention(bias: bool) -> None:
    theirs = nn.MultiheadAttention(DIM, HEADS, bias=bias, batch_first=True).double()
    for weight in theirs.parameters():
        nn.init.normal_(weight, std=0.5)  # biases are 0 at first, which would hide a lost one
    x = tokens(7, DIM)
    ours = loaded(SoftmaxAttention(DIM, HEADS, qkv_bias=bias), theirs.state_dict())
    assert torch.allclose(ours(x), theirs(x, x, x)[0], rtol=0, atol=1e-13)


def test_pooled_keys_on_a_grid_as_fine_as_the_map() -> None:
    theirs = nn.MultiheadAttention(DIM, HEADS, batch_first=True).double()
    x = tokens(SIDE * SIDE, DIM)
    ours = PooledSoftmaxAttention(DIM, HEADS, SIDE, SIDE, (SIDE, SIDE))
    assert torch.allclose(
        loaded(ours, theirs.state_dict())(x), theirs(x, x, x)[0], rtol=0, atol=1e-13
    )


def test_a_vision_transformers_names() -> None:
    theirs = nn.MultiheadAttention(DIM, HEADS, batch_first=True).double()
    names = {"in_proj_": "qkv.", "out_proj.": "proj."}
    weights = {
        new + name.removeprefix(old): weight
        for name, weight in theirs.state_dict().items()
        for old, new in names.items()
        if name.startswith(old)
    }
    x = tokens(7, DIM)
    ours = loaded(SoftmaxAttention(DIM, HEADS), weights)
    assert torch.allclose(ours(x), theirs(x, x, x)[0], rtol=0, atol=1e-13)


VIT: Weights = drawn(
    {
        "qkv.weight": (3 * DIM, DIM),
        "qkv.bias": (3 * DIM,),
        "proj.weight": (DIM, DIM),
        "proj.bias": (DIM,),
    }
)


@pytest.mark.parametrize(
    "name",
    ["q_norm.weight", "k_norm.weight", "norm.weight", "relative_position_bias_table", "bias_k"],
)
def test_a_weight_that_would_stay_unread_is_refused(name: str) -> None:
    weights = {f"attn.{n}": w for n, w in (VIT | {name: torch.ones(DIM)}).items()}
    message = f"no place for attn.{name}, .* takes proj.bias, proj.weight, qkv.bias, qkv.weight"
    with pytest.raises(UsageError, match=message):
        from_authors(SoftmaxAttention(DIM, HEADS), weights, "attn.")


def test_what_torchs_options_add_is_refused() -> None:
    ours = SoftmaxAttention(DIM, HEADS)
    with pytest.raises(UsageError, match="no place for bias_k, bias_v"):
        from_authors(ours, nn.MultiheadAttention(DIM, HEADS, add_bias_kv=True).state_dict())
    other_keys = nn.MultiheadAttention(DIM, HEADS, kdim=4, vdim=4)
    with pytest.raises(UsageError, match="named in_proj_weight"):
        from_authors(ours, other_keys.state_dict())


def test_a_bias_that_one_side_lacks_is_told_with_the_way_out() -> None:
    plain = SoftmaxAttention(DIM, HEADS, qkv_bias=False)
    with pytest.raises(UsageError, match=r"no place for qkv.bias.*make it with qkv_bias=True"):
        from_authors(plain, VIT)
    torchs = nn.MultiheadAttention(DIM, HEADS, bias=False).state_dict()
    with pytest.raises(UsageError, match=r"named in_proj_bias.*make it with qkv_bias=False"):
        from_authors(SoftmaxAttention(DIM, HEADS), torchs)


def test_a_last_bias_is_0_only_where_torchs_module_has_none() -> None:
    torchs = nn.MultiheadAttention(DIM, HEADS).state_dict()
    del torchs["out_proj.bias"]
    with pytest.raises(UsageError, match=r"named out_proj\.bias"):
        from_authors(SoftmaxAttention(DIM, HEADS), torchs)


def test_a_buffer_that_changes_nothing_may_stay_unread() -> None:
    index = {"relative_position_index": torch.zeros(2, 2, dtype=torch.int64)}
    assert from_authors(SoftmaxAttention(DIM, HEADS), VIT | index)


def gate_weights(heads: int) -> Weights:
    one = {"c": torch.full((1, DIM), 2.0), "mean_offset": torch.zeros(1, DIM)}
    return {f"daams.{i}.{name}": w for i in range(heads) for name, w in one.items()}


SS2D_SHAPES = around_shapes(5, 10) | engine_shapes(10) | {"out_proj.weight": (5, 10)}


@pytest.mark.parametrize(
    ("ours", "weights", "unread"),
    [
        (AgentAttention(DIM, HEADS, SIDE, SIDE, (2, 2)), agent_weights(cls=True), "ac_bias"),
        (GaussianAdaptiveAttention(DIM, 2), gate_weights(3), r"daams\.2\.c"),
        (MultiHeadScan(8, HIGH, WIDE, "CXS", STATE), drawn(mhsm_shapes(8, "CXSZ")), "scanhead_Z"),
        (
            SS2D(5, HIGH, WIDE, 2, STATE),
            drawn(SS2D_SHAPES | {"in_proj.bias": (20,)}),
            r"in_proj\.bias",
        ),
        (
            GatedScan(8, HIGH, WIDE, state=STATE),
            drawn(
                around_shapes(8, 8)
                | {f"mhs.{name}": s for name, s in mhsm_shapes(8, "CXSZ").items()}
                | {"mhs.y_proj.bias": (8,)}
            ),
            r"mhs\.y_proj\.bias",
        ),
    ],
    ids=["agent", "gaussian", "scan", "ss2d", "gated scan"],
)
def test_every_mapper_refuses_what_it_leaves_unread(
    ours: nn.Module, weights: Weights, unread: str
) -> None:
    with pytest.raises(UsageError, match=f"{type(ours).__name__} has no place for {unread}"):
        from_authors(ours, weights)


def test_a_second_name_with_other_numbers_is_refused() -> None:
    w = under_both_names(drawn(mhsm_shapes(8, "CXSZ")))
    w["x_ssproj_W"] = w["x_ssproj_W"] + 1
    with pytest.raises(UsageError, match="no place for x_ssproj_W"):
        from_authors(MultiHeadScan(8, HIGH, WIDE, "CXSZ", STATE), w)


@pytest.mark.parametrize(
    ("ours", "weights"),
    [
        (SS2D(3, HIGH, WIDE, 2, STATE), drawn(SS2D_SHAPES)),
        (
            AgentAttention(DIM, HEADS, SIDE, SIDE, (2, 2)),
            agent_weights(cls=False) | {"ah_bias": torch.ones(HEADS)},
        ),
    ],
    ids=["sizes", "axes"],
)
def test_shapes_that_do_not_go_together_are_told(ours: nn.Module, weights: Weights) -> None:
    with pytest.raises(UsageError, match="the shapes of the authors' weights do not fit this"):
        from_authors(ours, weights)


@pytest.mark.parametrize(
    ("ours", "change", "message"),
    [
        (AgentAttention(DIM, HEADS, SIDE, SIDE, (2, 2)), {"dwc.bias": None}, "named dwc.bias"),
        (AgentAttention(DIM, HEADS, SIDE, SIDE, (3, 3)), {}, r"bias_table the shape \(2, 2, 4"),
        (
            AgentAttention(DIM, HEADS, SIDE, SIDE, (2, 2)),
            {"sr.weight": torch.ones(1)},
            "reduces its keys",
        ),
        (SqueezeExcitation(DIM), {}, "no authors' weights for SqueezeExcitation"),
    ],
)
def test_what_does_not_fit_is_told(ours: nn.Module, change: dict[str, Any], message: str) -> None:
    weights = {k: v for k, v in (agent_weights(cls=False) | change).items() if v is not None}
    with pytest.raises(UsageError, match=message):
        from_authors(ours, weights)
