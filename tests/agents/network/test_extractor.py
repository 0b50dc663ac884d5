"""The extractor reads any subset of keys, and what PPO samples is what it evaluates."""

import numpy as np
import pytest
import torch
from gymnasium import spaces

from agents.encoders import make_mechanism
from agents.network.extractor import NetHackExtractor
from agents.network.kernels.minibatch_chunks import Memory, number_rows, pick
from agents.network.names import ENCODERS
from agents.network.vector_parts import NO_GLYPH, STONE, InventoryEncoder
from calm.errors import UsageError

SPACE = {
    "glyphs": spaces.Box(0, NO_GLYPH, (21, 79), np.int16),
    "glyphs_crop": spaces.Box(0, NO_GLYPH, (9, 9), np.int16),
    "message": spaces.Box(0, 255, (256,), np.uint8),
    "inv_glyphs": spaces.Box(0, NO_GLYPH, (55,), np.int16),
    "blstats": spaces.Box(-1000, 1000, (27,), np.int64),
    "progress": spaces.Box(0, 1, (3,), np.float32),
}
WINDOW = {
    "window_crop": spaces.Box(0, NO_GLYPH, (5, 9, 9), np.int16),
    "semantics": spaces.Box(-1, 1, (7, 5), np.float32),
    "window_valid": spaces.Box(0, 1, (5,), np.float32),
}
EVERY = [*SPACE, *WINDOW]
DEFAULT = ["glyphs_crop", "inv_glyphs", "blstats", "progress"]


def keys_for(encoder: str, keys: list[str]) -> list[str]:
    return [*keys, *(WINDOW if encoder == "semantics" else ())]


def observations(keys: list[str], n: int, seed: int = 0) -> dict[str, torch.Tensor]:
    space = spaces.Dict({key: (SPACE | WINDOW)[key] for key in keys})
    space.seed(seed)
    drawn = [space.sample() for _ in range(n)]
    return {key: torch.tensor(np.stack([d[key] for d in drawn])).float() for key in keys}


def extractor(keys: list[str], **options: object) -> NetHackExtractor:
    torch.manual_seed(0)
    return NetHackExtractor(spaces.Dict({k: (SPACE | WINDOW)[k] for k in keys}), **options)


@pytest.mark.parametrize("keys", [[key] for key in SPACE] + [list(SPACE)])
def test_any_subset_of_keys(keys: list[str]) -> None:
    features = extractor(keys, features_dim=24)(observations(keys, 5))
    assert features.shape == (5, 24)
    assert features.isfinite().all()


def test_a_crop_of_another_size() -> None:
    space = spaces.Dict(glyphs_crop=spaces.Box(0, NO_GLYPH, (15, 15), np.int16))
    assert NetHackExtractor(space)({"glyphs_crop": torch.zeros(2, 15, 15)}).shape == (2, 256)


@pytest.mark.parametrize("encoder", ENCODERS)
def test_no_sample_sees_another_and_batch_size_does_not_matter(encoder: str) -> None:
    keys = keys_for(encoder, list(SPACE))
    model = extractor(keys, encoder=encoder).double()
    batch = {k: v.double() for k, v in observations(keys, 7).items()}
    whole = model(batch)
    for i in range(7):
        alone = model({k: v[i : i + 1] for k, v in batch.items()})
        torch.testing.assert_close(alone[0], whole[i], rtol=0, atol=1e-12)


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("past", [False, True])
def test_equal_rows_that_come_once_give_the_same_features_and_gradients(
    encoder: str, past: bool
) -> None:
    """In an update (`pick`), and while playing (`Memory`), where some were met before."""
    keys = [*SPACE, *WINDOW] if past else keys_for(encoder, list(SPACE))
    model = extractor(keys, encoder=encoder, past=past).double()
    rows = np.array([4, 0, 2, 2, 1, 4, 3, 0])
    batch = {k: v.double() for k, v in observations(keys, 5).items()}
    batch["message"][2] = 0
    batch["inv_glyphs"][3] = NO_GLYPH
    if "window_crop" in batch:
        batch["window_crop"][1, :3] = batch["window_crop"][0, 2:]
    whole = {k: v[rows] for k, v in batch.items()}
    expected = model(whole)
    expected.sum().backward()
    gradients = {name: p.grad for name, p in model.named_parameters()}
    once = {"glyphs", "message", "inv_glyphs"}
    once |= {"glyphs_crop"} if encoder != "semantics" else set()
    once |= {"window_crop"} if past != (encoder == "semantics") else set()  # read by one part
    assert set(model.repeats) == once
    numbers = {k: number_rows(batch[k].numpy(), ndim) for k, ndim in model.repeats.items()}
    model.zero_grad()
    features = model(pick(batch, rows, numbers))
    torch.testing.assert_close(features, expected, rtol=0, atol=1e-12)
    features.sum().backward()
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter.grad, gradients[name], rtol=1e-9, atol=1e-12)
    memories = {key: Memory() for key in model.repeats}
    with torch.no_grad():
        for some in (slice(0, 3), slice(2, 8)):
            part = {
                k: memories[k].look(v[some].numpy(), model.repeats[k]) if k in memories else v[some]
                for k, v in whole.items()
            }
            torch.testing.assert_close(model(part), expected[some], rtol=0, atol=1e-12)


@pytest.mark.parametrize("encoder", ENCODERS)
def test_where_a_thing_stands_is_seen(encoder: str) -> None:
    keys = keys_for(encoder, ["glyphs_crop"])
    model = extractor(keys, encoder=encoder)
    observed = observations(keys, 1)
    observed = {k: v.expand(2, *v.shape[1:]).clone() for k, v in observed.items()}
    crops = observed["window_crop"][:, -1] if encoder == "semantics" else observed["glyphs_crop"]
    crops[:] = STONE
    crops[0, 2, 3] = crops[1, 3, 2] = 2000.0
    if encoder == "semantics":
        observed["window_valid"][:] = 1
    first, second = model(observed)
    assert not torch.allclose(first, second)


@pytest.mark.parametrize("encoder", ENCODERS)
def test_void_observations_are_finite_and_have_gradients(encoder: str) -> None:
    """No map, no message, nothing carried, and a window before the first step."""
    keys = keys_for(encoder, list(SPACE))
    model = extractor(keys, encoder=encoder)
    void = {key: torch.zeros_like(value) for key, value in observations(keys, 2).items()}
    for key in ("glyphs", "glyphs_crop", "inv_glyphs", *(k for k in keys if k == "window_crop")):
        void[key][:] = NO_GLYPH
    features = model(void)
    assert features.isfinite().all()
    features.sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize("encoder", ENCODERS)
def test_what_is_void_changes_nothing(encoder: str) -> None:
    """Stone or beyond the map, embedded by any weights; steps before the episode, whatever
    they hold."""
    keys = keys_for(encoder, list(SPACE))
    model = extractor(keys, encoder=encoder)
    observed = observations(keys, 2)
    observed["inv_glyphs"][observed["inv_glyphs"] == STONE] = 7
    for key in ("glyphs", "glyphs_crop"):
        observed[key][:, ::2] = STONE
    if encoder == "semantics":
        observed["window_valid"][:] = torch.tensor([0.0, 0, 1, 1, 1])
    before = model(observed)
    with torch.no_grad():
        for glyph in (STONE, NO_GLYPH):
            model.glyphs.weight[glyph] += 10
    for key in ("glyphs", "glyphs_crop"):
        observed[key][:, ::2] = NO_GLYPH
    if encoder == "semantics":
        observed["window_crop"][:, :2] = 7
        observed["semantics"][:, :, :2] = 1
    torch.testing.assert_close(model(observed), before, rtol=0, atol=1e-6)


@pytest.mark.parametrize("encoder", ENCODERS)
def test_encoders_are_of_about_one_size(encoder: str) -> None:
    model = extractor(keys_for(encoder, DEFAULT), encoder=encoder)
    assert 0.5e6 <= sum(p.numel() for p in model.parameters()) <= 0.7e6


@pytest.mark.parametrize("encoder", ["agent", "softmax"])
def test_what_has_no_place_joins_the_cells_unless_it_is_blank(encoder: str) -> None:
    keys = ["glyphs_crop", "message", "inv_glyphs"]
    model = extractor(keys, encoder=encoder)
    assert model.joining == ["message", "inv_glyphs"]
    observed = observations(keys, 3)
    observed["message"][0] = 0
    observed["inv_glyphs"][1] = NO_GLYPH
    _, (tokens, present) = model.beside_maps(observed)
    assert tokens.shape == (3, 2, 64)
    assert present.tolist() == [[False, True], [True, False], [True, True]]
    part = model.parts["glyphs_crop"]
    cells = part(observed["glyphs_crop"], tokens, present)
    other = part(observed["glyphs_crop"], tokens + 1, present)
    assert not torch.allclose(cells[2], other[2])
    mask = torch.cat([present, torch.ones(3, 25, dtype=torch.bool)], 1)
    mixed = part.mix.branch.module(torch.randn(3, 27, 64), mask)
    assert (mixed[~mask] == 0).all()


@pytest.mark.parametrize("encoder", [e for e in ENCODERS if e not in ("cnn", "semantics")])
@pytest.mark.parametrize("fine", [False, True])
def test_a_mechanism_mixes_every_cell_or_every_second_and_starts_as_the_cnn(
    encoder: str, fine: bool
) -> None:
    """Beside the same convolutions its branch adds little at first."""
    model = extractor(["glyphs_crop"], encoder=encoder, fine=fine)
    part = model.parts["glyphs_crop"]
    observed = observations(["glyphs_crop"], 3)
    cells, known = (of(observed["glyphs_crop"]) for of in (part.cells, part.known))
    assert part.grid == tuple(cells.shape[2:]) == ((9, 9) if fine else (5, 5))
    tokens, mask = part.tokens(cells, known)
    change = (part.mix(tokens, mask) - tokens).norm() / tokens.norm()
    assert 0 < change < 0.5


def test_a_mechanism_on_cells_alone_lets_nothing_join() -> None:
    with pytest.raises(UsageError, match="can't join"):
        make_mechanism("scan", 8, 3, 5, extra_tokens=1)


def test_semantics_without_a_window_says_what_to_do() -> None:
    with pytest.raises(UsageError, match="window=4"):
        extractor(DEFAULT, encoder="semantics")


def test_semantics_are_gates_that_nothing_flows_back_through() -> None:
    keys = keys_for("semantics", DEFAULT)
    model = extractor(keys, encoder="semantics")
    observed = observations(keys, 3)
    observed["window_valid"][:] = 1
    observed["semantics"].requires_grad_()
    features = model(observed)
    assert features.requires_grad
    features.sum().backward()
    assert observed["semantics"].grad is None
    other = {**observed, "semantics": observed["semantics"].detach().flip(2)}
    assert not torch.allclose(model(other), features)


def test_class_semantics_start_near_the_identity() -> None:
    keys = keys_for("semantics", DEFAULT)
    model = extractor(keys, encoder="semantics")
    observed = observations(keys, 3)
    observed["window_valid"][:] = 1
    gated = model(observed)
    with torch.no_grad():
        model.parts["window"].scale.zero_()
        plain = model(observed)
    assert 0 < (gated - plain).norm() < 0.1 * plain.norm()


def test_empty_slots_of_the_inventory_change_nothing() -> None:
    torch.manual_seed(0)
    embedding = torch.nn.Embedding(NO_GLYPH + 1, 5)
    encoder = InventoryEncoder(embedding, 3)
    slots = torch.full((1, 55), float(NO_GLYPH))
    slots[0, 0] = 2000
    before = encoder(slots)
    with torch.no_grad():
        embedding.weight[NO_GLYPH] += 10
    torch.testing.assert_close(encoder(slots), before)


def test_the_same_seed_gives_the_same_weights() -> None:
    first, second = extractor(list(SPACE)), extractor(list(SPACE))
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)


def test_nothing_to_read_is_said() -> None:
    with pytest.raises(UsageError, match="none of the keys"):
        NetHackExtractor(spaces.Dict(other=spaces.Box(0, 1, (2,))))


def test_an_unknown_encoder_names_the_valid_ones() -> None:
    with pytest.raises(UsageError, match="unknown encoder 'cn': did you mean 'cnn'"):
        extractor(["glyphs_crop"], encoder="cn")
