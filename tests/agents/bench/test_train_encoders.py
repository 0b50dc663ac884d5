"""Encoders in training: each trains by crop and by level, and is set beside what it is due."""

import pytest

from agents.bench.train_encoders import BASELINE, config_of, run
from agents.network.names import ENCODERS
from calm.errors import UsageError

SMALL = {"n_envs": 2, "n_steps": 8, "crop": 5, "features_dim": 16, "minibatches": 2, "n_epochs": 1}


def test_an_encoder_is_set_beside_the_cnn_and_full_attention() -> None:
    report = run(["gaussian"], ("crop",), quick=True, **SMALL)
    rows = {row["name"]: row for row in report["rows"]}
    names = ["crop: cnn", "crop: gaussian", "crop: softmax"]
    assert list(rows)[:3] == names
    assert {rows[name]["unit"] for name in names} == {"steps/s"}
    for name in names:
        times = [rows[f"{name}, {work}"] for work in ("products", "torch, other", "outside torch")]
        assert {row["unit"] for row in times} == {"µs/step"}
        assert all(row["value"] >= 0 for row in times)
    ours, cnn = rows["crop: gaussian"]["value"], rows["crop: cnn"]["value"]
    assert set(report["ratios"]) == {"crop_gaussian", "crop_softmax"}
    assert report["ratios"]["crop_gaussian"] == pytest.approx(ours / cnn, abs=0.006)


def test_a_level_is_compared_with_full_attention() -> None:
    report = run(["semantics"], ("level",), quick=True, **SMALL)
    assert set(report["ratios"]) == {"level_cnn", "level_semantics"}
    assert BASELINE["level"] == "softmax"


@pytest.mark.slow
@pytest.mark.parametrize("kind", BASELINE)
def test_every_encoder_trains_by_both_maps(kind: str) -> None:
    report = run([], (kind,), quick=True, **SMALL)  # type: ignore[arg-type]
    rates = [row["name"] for row in report["rows"] if row["unit"] == "steps/s"]
    assert rates == [f"{kind}: {name}" for name in ENCODERS]


def test_the_window_of_semantics_needs_crops() -> None:
    assert config_of("semantics", "level", quick=True).keys[:2] == ("glyphs_crop", "glyphs")
    assert config_of("agent", "level", quick=True).keys[0] == "glyphs"
    assert config_of("agent", "crop", quick=True).keys[0] == "glyphs_crop"


def test_an_encoder_may_see_fewer_channels() -> None:
    report = run(["agent:8", "agent"], ("crop",), quick=True, **SMALL)
    names = [row["name"] for row in report["rows"] if row["unit"] == "steps/s"]
    assert names == ["crop: cnn", "crop: agent", "crop: agent:8", "crop: softmax"]
    assert config_of("agent:8", "crop", quick=True).encoder_options == {"channels": 8}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # its compiler's own
def test_a_compiled_mechanism_is_set_beside_itself() -> None:
    report = run(["gaussian"], ("crop",), quick=True, compiled=True, **SMALL)
    rates = {row["name"]: row["value"] for row in report["rows"] if row["unit"] == "steps/s"}
    assert list(rates)[3:] == ["crop: gaussian, compiled", "crop: softmax, compiled"]
    ours = rates["crop: gaussian, compiled"] / rates["crop: gaussian"]
    assert report["ratios"]["crop_gaussian_compiled"] == pytest.approx(ours, abs=0.006)


@pytest.mark.parametrize(
    ("encoder", "message"),
    [
        ("agnt", "unknown encoder 'agnt': did you mean 'agent'"),
        ("agent:few", "after agent: comes the number of channels, as in agent:16"),
        ("agent:65", "agent can see 1 to 64 channels here, not 65"),
        ("cnn:16", "cnn takes no options"),
    ],
)
def test_an_encoder_that_there_is_not_is_told(encoder: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        run([encoder], ("crop",), quick=True, **SMALL)
