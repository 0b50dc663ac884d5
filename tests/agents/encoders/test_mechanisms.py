"""What every mechanism of `agents.encoders` must hold to be trained by PPO, whatever it does."""

import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from agents import encoders
from agents.encoders import MECHANISMS, make_mechanism
from calm.errors import UsageError

DIM, HEIGHT, WIDTH, BATCH = 12, 5, 7, 3
CELLS = HEIGHT * WIDTH

VARIANTS: dict[str, tuple[str, dict[str, object]]] = {
    "agent": ("agent", {"heads": 3, "agents": (2, 3)}),
    "gaussian gate": ("gaussian", {}),
    "gaussian gate, 2 heads": ("gaussian", {"heads": 2}),
    "gaussian softmax": ("gaussian", {"form": "softmax"}),
    "gaussian mixture": ("gaussian", {"form": "mixture"}),
    "scan": ("scan", {"state": 3}),
    "scan, cv-relu": ("scan", {"state": 3, "fusion": "cv-relu", "routes": ("C", "X", "S")}),
    "gated-scan": ("gated-scan", {"state": 3}),
    "softmax": ("softmax", {"heads": 2}),
    "pooled": ("pooled", {"heads": 2, "pool": (2, 3)}),
    "squeeze": ("squeeze", {"reduction": 2}),
    "ss2d": ("ss2d", {"state": 3}),
    "ss2d, expand 1": ("ss2d", {"state": 3, "expand": 1}),
}
COMPILED = [  # one that torch traces whole, and one whose scan stays as it is, are quick enough
    pytest.param(v, marks=[] if v in ("agent", "scan") else [pytest.mark.slow])
    for v in VARIANTS
    if "," not in v
]
EXPORTED = [  # of the scans, which take longest to trace, one will do
    pytest.param(
        v, marks=[pytest.mark.slow] if "scan," in v or v.startswith(("gated", "ss2d")) else []
    )
    for v in VARIANTS
]
every = pytest.mark.parametrize("variant", VARIANTS)


def mechanism_of(variant: str, seed: int = 0) -> nn.Module:
    name, options = VARIANTS[variant]
    torch.manual_seed(seed)
    return make_mechanism(name, DIM, HEIGHT, WIDTH, **options)


def inputs(batch: int = BATCH) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(batch, CELLS, DIM, generator=generator)
    return x, torch.rand(batch, CELLS, generator=generator) < 0.6


def test_every_mechanism_is_tested() -> None:
    assert {name for name, _ in VARIANTS.values()} == set(MECHANISMS)


def test_an_unknown_name_lists_the_valid_ones() -> None:
    with pytest.raises(UsageError, match="unknown mechanism 'agents': did you mean 'agent'"):
        make_mechanism("agents", DIM, HEIGHT, WIDTH)


@pytest.mark.parametrize(
    "options", [{"agents": "x"}, {"agents": "xy"}, {"heads": 7}, {"eyes": 2}, {"heads": None}]
)
def test_options_that_it_does_not_take_are_named(options: dict) -> None:
    with pytest.raises(UsageError, match="agent can't be made with the options"):
        make_mechanism("agent", DIM, HEIGHT, WIDTH, **options)


NO_COUNTS: list[Any] = [0, -1, 2.5, "x", None]
NO_GRIDS: list[Any] = [(0, 2), (-1, 2), (3,), (2, 2, 2), (1.5, 2), "ab", 3, None]
REFUSED: dict[str, dict[str, list[Any]]] = {
    "agent": {"heads": NO_COUNTS, "agents": NO_GRIDS},
    "gaussian": {"heads": NO_COUNTS, "gaussians": NO_COUNTS, "form": ["no", None, []]},
    "scan": {
        "routes": [(), "CQ", ("C",) * 9, None, 3, [["C"]]],
        "state": NO_COUNTS,
        "fusion": ["no", None, []],
        "threshold": [None, "x", float("nan"), float("inf")],
    },
    "softmax": {"heads": NO_COUNTS},
    "pooled": {"heads": NO_COUNTS, "pool": NO_GRIDS},
    "squeeze": {"reduction": NO_COUNTS},
    "ss2d": {"expand": NO_COUNTS, "state": NO_COUNTS},
}
REFUSED["gated-scan"] = REFUSED["scan"]


SIZES = {"dim": [*NO_COUNTS, 2**70], "height": NO_COUNTS, "width": NO_COUNTS}
WRONG = [
    pytest.param(name, {option: value}, id=f"{name}, {option}={value!r}")
    for name in MECHANISMS
    for option, values in (SIZES | REFUSED[name] | {"extra_tokens": [-1, 2.5, "x", None]}).items()
    for value in values
]


# Torch says so when it makes a layer without channels, before a scan refuses to be without any.
@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors is a no-op")
@pytest.mark.parametrize(("name", "wrong"), WRONG)
def test_what_it_cannot_be_made_with_is_a_usage_error(name: str, wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=f"{name} (can't be made with|mixes the cells)"):
        make_mechanism(name, **{"dim": 8, "height": 3, "width": 3, **wrong})


@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors is a no-op")
@pytest.mark.parametrize("name", ["scan", "gated-scan"])
def test_a_scan_of_fewer_channels_than_heads_says_so(name: str) -> None:
    with pytest.raises(UsageError, match="at least as many channels as heads"):
        make_mechanism(name, 3, 3, 3)
    assert make_mechanism(name, 4, 3, 3)(torch.ones(1, 9, 4)).shape == (1, 9, 4)


def test_a_name_that_is_no_string_is_unknown() -> None:
    for name in (None, ["agent"], 3):
        with pytest.raises(UsageError, match="unknown mechanism"):
            make_mechanism(name, DIM, HEIGHT, WIDTH)  # type: ignore[arg-type]


def test_whole_numbers_of_numpy_and_lists_of_json_will_do() -> None:
    mechanism = make_mechanism("agent", np.int64(8), 3, 3, heads=np.int32(2), agents=[2, 2])
    assert mechanism(torch.ones(1, 9, 8)).shape == (1, 9, 8)


@pytest.mark.parametrize("name", MECHANISMS)
def test_defaults_suit_a_map_and_a_crop(name: str) -> None:
    for height, width in ((7, 40), (9, 9)):
        m = make_mechanism(name, 64, height, width)
        x = torch.randn(1, height * width, 64)
        assert m(x).shape == x.shape


@every
@pytest.mark.parametrize("masked", [False, True])
def test_no_sample_sees_another(variant: str, masked: bool) -> None:
    m, (x, mask) = mechanism_of(variant), inputs()
    mask = mask if masked else None  # type: ignore[assignment]
    y = m(x, mask)
    moved = x.clone()
    moved[1] += torch.randn(CELLS, DIM)
    after = m(moved, mask)
    assert torch.equal(y[[0, 2]], after[[0, 2]])
    assert not torch.allclose(y[1], after[1], atol=1e-6)
    grad = torch.autograd.grad(m(x.requires_grad_(), mask)[1].square().sum(), x)[0]
    assert (grad[[0, 2]] == 0).all()
    assert grad[1].abs().max() > 0


@every
def test_size_and_order_of_the_batch_do_not_matter(variant: str) -> None:
    m, (x, mask) = mechanism_of(variant), inputs(5)
    y = m(x, mask)
    order = torch.tensor([3, 0, 4, 1, 2])
    assert torch.allclose(m(x[order], mask[order]), y[order], rtol=0, atol=1e-6)
    for i in range(5):
        assert torch.allclose(m(x[i : i + 1], mask[i : i + 1])[0], y[i], rtol=0, atol=1e-6)


@every
def test_masked_cells_change_nothing_and_get_nothing(variant: str) -> None:
    m, (x, mask) = mechanism_of(variant), inputs()
    void = ~mask.unsqueeze(-1)
    other = torch.where(void, 100 * torch.randn_like(x), x)
    y = m(x, mask)
    assert torch.equal(m(other, mask), y)
    assert (y[~mask] == 0).all()
    grad = torch.autograd.grad(m(other.requires_grad_(), mask).square().sum(), other)[0]
    assert (grad[~mask] == 0).all()


@every
def test_one_mask_may_be_that_of_all_samples(variant: str) -> None:
    m = mechanism_of(variant)
    x, mask = inputs()
    assert torch.allclose(m(x, mask[:1]), m(x, mask[:1].expand(len(x), -1)), atol=1e-6)


@every
def test_where_it_looks_is_told_cell_by_cell(variant: str) -> None:
    """Whoever draws it needs a number for each cell, and 0 where there is nothing to see."""
    m = mechanism_of(variant)
    look = getattr(m.mechanism, "attention_map", None)
    if look is None:
        assert variant.startswith(("squeeze", "ss2d"))
        return
    x, mask = inputs()
    for drawn in (look(x), look(x, mask)):
        assert drawn.shape == (BATCH, CELLS)
        assert (drawn >= 0).all()
    assert not look(x, mask)[~mask].any()


@every
@pytest.mark.parametrize("filling", [float("nan"), float("inf"), -float("inf"), 3e38])
def test_what_is_no_number_in_a_masked_cell_reaches_nothing(variant: str, filling: float) -> None:
    """Not the output, not the gradient of the cells, not that of any weight."""
    m, (x, mask) = mechanism_of(variant), inputs()
    mask[0] = False
    weight = torch.randn_like(x)
    results = []
    for tokens_in in (x, torch.where(mask.unsqueeze(-1), x, filling)):
        leaf = tokens_in.clone().requires_grad_()
        y = m(leaf, mask)
        m.zero_grad()
        (y * weight).sum().backward()
        grads = {name: p.grad for name, p in m.named_parameters()}
        results.append({"y": y, "x": leaf.grad, **grads})
    assert results[0].keys() == results[1].keys()
    for name, clean in results[0].items():
        assert torch.equal(results[1][name], clean), name
    look = getattr(m.mechanism, "attention_map", None)
    if look is not None:
        assert torch.equal(look(torch.where(mask.unsqueeze(-1), x, filling), mask), look(x, mask))


@every
@pytest.mark.parametrize("masked", [False, True])
def test_an_empty_batch_is_an_empty_batch(variant: str, masked: bool) -> None:
    m, (x, mask) = mechanism_of(variant), inputs(0)
    leaf = x.requires_grad_()
    y = m(leaf, mask if masked else None)
    assert y.shape == x.shape
    y.sum().backward()
    assert all(p.grad is None or (p.grad == 0).all() for p in m.parameters())


@every
def test_with_every_cell_valid_a_mask_is_no_mask(variant: str) -> None:
    m, (x, _) = mechanism_of(variant), inputs()
    full = torch.ones(BATCH, CELLS, dtype=torch.bool)
    assert torch.allclose(m(x, full), m(x), rtol=1e-5, atol=1e-6)


@every
def test_void_maps_are_finite_and_so_are_their_gradients(variant: str) -> None:
    m, (x, mask) = mechanism_of(variant), inputs()
    mask[0], mask[1] = False, torch.arange(CELLS) == 17  # nothing, one cell, some
    for filling in (x, torch.zeros_like(x), torch.ones_like(x)):
        filling = filling.clone().requires_grad_()
        y = m(filling, mask)
        m.zero_grad()
        y.square().sum().backward()
        assert y.isfinite().all()
        assert (y[0] == 0).all()
        assert filling.grad is not None
        assert filling.grad.isfinite().all()
        for name, p in m.named_parameters():
            assert p.grad is not None, name
            assert p.grad.isfinite().all(), name


@every
def test_every_weight_learns(variant: str) -> None:
    m, (x, mask) = mechanism_of(variant), inputs()
    (m(x, mask) * torch.randn_like(x)).sum().backward()
    # A projection's shift leaves the mixture as it is; heads need not use all of a tiny bias.
    free = {"mechanism.project.bias"}
    for name, p in m.named_parameters():
        assert name in free or (p.grad is not None and p.grad.abs().max() > 0), name


@every
def test_a_residual_branch_starts_near_the_identity(variant: str) -> None:
    m, (x, mask) = mechanism_of(variant), inputs()
    size = m(x, mask).norm() / x[mask].norm()
    assert 0 < size < 0.25


@every
def test_the_same_seed_gives_the_same_weights_and_another_others(variant: str) -> None:
    first, again = mechanism_of(variant).state_dict(), mechanism_of(variant).state_dict()
    assert all(torch.equal(first[key], again[key]) for key in first)
    if variant not in ("gaussian gate", "gaussian gate, 2 heads"):  # which starts without chance
        other = mechanism_of(variant, seed=1).state_dict()
        assert any(not torch.equal(first[key], other[key]) for key in first)


@every
def test_what_ppo_updates_is_what_it_acted_with(variant: str) -> None:
    """The same numbers with and without gradient, in training and evaluation mode, once more."""
    m, (x, mask) = mechanism_of(variant), inputs()
    with torch.no_grad():
        acted = m.eval()(x, mask)
    for _ in range(2):
        assert torch.allclose(m.train()(x, mask), acted, rtol=0, atol=1e-6)
    assert torch.equal(m(x, mask), m(x, mask))


@every
def test_gradients_are_the_same_twice(variant: str) -> None:
    m, (x, mask) = mechanism_of(variant), inputs()
    grads = []
    for _ in range(2):
        m.zero_grad()
        m(x, mask).square().sum().backward()
        grads.append([p.grad.clone() for p in m.parameters() if p.grad is not None])
    assert all(torch.equal(a, b) for a, b in zip(*grads, strict=True))


@every
def test_weights_and_config_restore_it(variant: str) -> None:
    m, (x, mask) = mechanism_of(variant), inputs()
    other = mechanism_of(variant, seed=1)
    other.load_state_dict(m.state_dict())
    assert torch.equal(other(x, mask), m(x, mask))
    assert torch.equal(copy.deepcopy(m)(x, mask), m(x, mask))
    assert not any(b.numel() for k, b in m.state_dict().items() if "pool" in k or "order" in k)


@every
def test_float32_agrees_with_float64(variant: str) -> None:
    m, (x, mask) = mechanism_of(variant), inputs()
    y = m(x, mask)
    exact = copy.deepcopy(m).double()(x.double(), mask)
    assert exact.dtype == torch.float64
    assert (y - exact).abs().max() < 1e-5 * exact.abs().max()


@every
def test_gradients_in_float32_agree_with_float64(variant: str) -> None:
    """Those in float64 equal the loops' to 1e-10, in the tests of each mechanism."""
    m, (x, mask) = mechanism_of(variant), inputs()
    weight = torch.randn_like(x)
    exact = copy.deepcopy(m).double()
    grads = []
    for module, tokens_in in ((m, x), (exact, x.double())):
        leaf = tokens_in.clone().requires_grad_()
        (module(leaf, mask) * weight.to(leaf.dtype)).sum().backward()
        named = {name: p.grad for name, p in module.named_parameters()}
        grads.append({**named, "x": leaf.grad})
    assert grads[0].keys() == grads[1].keys()
    largest = max(g.abs().max() for g in grads[1].values())
    for name, gradient in grads[0].items():
        exact_gradient = grads[1][name]
        # Of a sum that all but cancels (a shift before a norm) only the rounding of its terms is
        # left: it is held against the largest of all gradients.
        scale = exact_gradient.abs().max().clamp_min(1e-2 * largest)
        assert (gradient.double() - exact_gradient).abs().max() < 1e-5 * scale, name


@every
def test_under_autocast_statistics_stay_float32(variant: str) -> None:
    """Inputs of 300 ± 1: in bfloat16, whose steps are 2 there, no spread would be left of them."""
    m, (x, mask) = mechanism_of(variant), inputs()
    y = m(x, mask)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cast = m(x, mask)
        cast.float().square().sum().backward()
    assert (cast.float() - y).norm() < 0.05 * y.norm()
    assert all(p.grad is None or p.grad.isfinite().all() for p in m.parameters())
    if variant.startswith(("gaussian gate", "gaussian softmax")):
        far = 300 + x
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert torch.allclose(m(far, mask), m(far, mask), rtol=1e-6)


# Torch's own tracer makes a Function, and looks at .grad of what it traces.
@pytest.mark.filterwarnings("ignore:<class 'torch.autograd.function.Function'> should not be")
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")
@pytest.mark.parametrize("variant", COMPILED)
def test_it_can_be_compiled(variant: str) -> None:
    """Traced, not lowered: the selective scan is told not to be and stays as it is."""
    m, (x, mask) = mechanism_of(variant), inputs()
    torch._dynamo.reset()
    compiled = torch.compile(m, backend="aot_eager")
    y = m(x, mask)
    assert torch.allclose(compiled(x, mask), y, rtol=1e-5, atol=1e-6)
    compiled(x, mask).square().sum().backward()
    grads = [p.grad.clone() for p in m.parameters() if p.grad is not None]
    m.zero_grad()
    y.square().sum().backward()
    for a, p in zip(grads, [p for p in m.parameters() if p.grad is not None], strict=True):
        assert p.grad is not None
        assert torch.allclose(a, p.grad, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("variant", EXPORTED)
@pytest.mark.parametrize("masked", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_an_exported_program_gives_equal_numbers(variant: str, masked: bool) -> None:
    """For any batch, in float64; an exported scan computes in another order."""
    m = mechanism_of(variant).double()

    def drawn(batch: int) -> tuple[Tensor, ...]:
        x, mask = inputs(batch)
        return (x.double(), mask) if masked else (x.double(),)

    small, large = drawn(BATCH), drawn(BATCH + 2)
    sizes = ({0: torch.export.Dim.DYNAMIC},) * len(small)
    program = torch.export.export(m, small, dynamic_shapes=sizes)
    assert torch.allclose(program.module()(*large), m(*large), rtol=1e-12, atol=1e-13)


@pytest.mark.slow
def test_an_exported_program_needs_nothing_of_ours(tmp_path: Path) -> None:
    m, (x, mask) = mechanism_of("scan"), inputs()
    torch.export.save(torch.export.export(m, (x, mask)), tmp_path / "scan.pt2")
    torch.save((x, mask, m(x, mask)), tmp_path / "numbers.pt")
    code = (
        "import sys, torch; program = torch.export.load('scan.pt2').module();"
        "x, mask, y = torch.load('numbers.pt');"
        "assert torch.allclose(program(x, mask), y, rtol=1e-5, atol=1e-6);"
        "assert 'agents' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)


def test_the_list_is_imported_without_torch() -> None:
    code = "import sys, agents.encoders; assert 'torch' not in sys.modules, 'torch'"
    subprocess.run([sys.executable, "-c", code], check=True)


CLASSES = sorted({entry.name for entry in MECHANISMS.values()} | {"ClassSemanticsAttention"})
HEAVY = {"nle", "minihack", "stable_baselines3", "gymnasium", "pyarrow", "pandas"}
FORKS = """
import json, os, sys, torch._dynamo
import agents.encoders as encoders
for name in sys.argv[1:]:
    if os.fork() == 0:  # each in a process of its own, that has torch already
        before = set(sys.modules)
        getattr(encoders, name)
        print(json.dumps([name, sorted(set(sys.modules) - before)]), flush=True)
        os._exit(0)
    assert os.wait()[1] == 0, name
"""


@pytest.fixture(scope="module")
def imported() -> dict[str, set[str]]:
    """By each class, the modules besides torch's that are loaded with it."""
    done = subprocess.run(
        [sys.executable, "-c", FORKS, *CLASSES], check=True, capture_output=True, text=True
    )
    return {name: set(modules) for name, modules in map(json.loads, done.stdout.splitlines())}


@pytest.mark.parametrize("name", CLASSES)
def test_each_mechanism_is_imported_alone(name: str, imported: dict[str, set[str]]) -> None:
    homes = {getattr(encoders, other).__module__ for other in CLASSES}
    mine = getattr(encoders, name).__module__
    assert imported[name] & homes == {mine}
    assert not {module.partition(".")[0] for module in imported[name]} & HEAVY
    assert not {module for module in imported[name] if module.startswith("envs")}


@pytest.mark.parametrize("name", [*CLASSES, "from_authors", "make_mechanism"])
def test_it_is_in_the_reference(name: str) -> None:
    page = (Path(__file__).parents[3] / "docs/reference/library.md").read_text("utf-8")
    home = getattr(encoders, name).__module__
    assert f"::: {home}.{name}\n" in page
