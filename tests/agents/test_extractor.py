"""The extractor reads any subset of keys, and what PPO samples is what it evaluates."""

import numpy as np
import pytest
import torch
from gymnasium import spaces

from agents.extractor import ENCODERS, NetHackExtractor
from agents.parts import NO_GLYPH, STONE, InventoryEncoder
from calm.errors import UsageError

SPACE = {
    "glyphs": spaces.Box(0, NO_GLYPH, (21, 79), np.int16),
    "glyphs_crop": spaces.Box(0, NO_GLYPH, (9, 9), np.int16),
    "message": spaces.Box(0, 255, (256,), np.uint8),
    "inv_glyphs": spaces.Box(0, NO_GLYPH, (55,), np.int16),
    "blstats": spaces.Box(-1000, 1000, (27,), np.int64),
    "progress": spaces.Box(0, 1, (3,), np.float32),
}


def observations(keys: list[str], n: int, seed: int = 0) -> dict[str, torch.Tensor]:
    space = spaces.Dict({key: SPACE[key] for key in keys})
    space.seed(seed)
    drawn = [space.sample() for _ in range(n)]
    return {key: torch.tensor(np.stack([d[key] for d in drawn])).float() for key in keys}


def extractor(keys: list[str], **options: object) -> NetHackExtractor:
    torch.manual_seed(0)
    return NetHackExtractor(spaces.Dict({k: SPACE[k] for k in keys}), **options)


@pytest.mark.parametrize("keys", [[key] for key in SPACE] + [list(SPACE)])
def test_any_subset_of_keys(keys: list[str]) -> None:
    features = extractor(keys, features_dim=24)(observations(keys, 5))
    assert features.shape == (5, 24)
    assert features.isfinite().all()


def test_a_crop_of_another_size() -> None:
    space = spaces.Dict(glyphs_crop=spaces.Box(0, NO_GLYPH, (15, 15), np.int16))
    assert NetHackExtractor(space)({"glyphs_crop": torch.zeros(2, 15, 15)}).shape == (2, 128)


@pytest.mark.parametrize("encoder", ENCODERS)
def test_no_sample_sees_another_and_batch_size_does_not_matter(encoder: str) -> None:
    model = extractor(list(SPACE), encoder=encoder).double()
    batch = {k: v.double() for k, v in observations(list(SPACE), 7).items()}
    whole = model(batch)
    for i in range(7):
        alone = model({k: v[i : i + 1] for k, v in batch.items()})
        torch.testing.assert_close(alone[0], whole[i], rtol=0, atol=1e-12)


@pytest.mark.parametrize("encoder", ENCODERS)
def test_where_a_thing_stands_is_seen(encoder: str) -> None:
    model = extractor(["glyphs_crop"], encoder=encoder)
    crops = torch.full((2, 9, 9), float(STONE))
    crops[0, 2, 3] = crops[1, 3, 2] = 2000.0
    first, second = model({"glyphs_crop": crops})
    assert not torch.allclose(first, second)


@pytest.mark.parametrize("encoder", ENCODERS)
def test_all_void_maps_are_finite_and_have_gradients(encoder: str) -> None:
    keys = ["glyphs", "glyphs_crop"]
    model = extractor(keys, encoder=encoder)
    void = {key: torch.full((2, *SPACE[key].shape), float(NO_GLYPH)) for key in keys}
    model(void).sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())


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
