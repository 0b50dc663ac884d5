"""Every encoder inside SB3's PPO: what it updates is what it acted with."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback

from agents.network.extractor import NetHackExtractor
from agents.network.history import WINDOW_KEYS
from agents.network.names import ENCODERS
from agents.training.agent import make_ppo
from agents.training.settings.config import TrainConfig
from envs import make_vec
from envs.interfaces.sb3_vec import Sb3Vec

KEYS = ("glyphs_crop", "message", "inv_glyphs", "blstats")
every = pytest.mark.parametrize("encoder", ENCODERS)


def environment(n: int = 3) -> Sb3Vec:
    settings = {"keys": KEYS, "judge": "truth", "window": 3, "workers": 0}
    return make_vec("KeyRoom-S5", n, kind="sb3", seed=5, **settings)


@pytest.fixture(scope="module")
def env() -> Iterator[Sb3Vec]:
    vec = environment()
    yield vec
    vec.close()


def agent(encoder: str, env: Sb3Vec, seed: int = 0) -> PPO:
    settings = {"n_envs": 3, "n_steps": 8, "minibatches": 2, "features_dim": 64, "n_epochs": 1}
    config = TrainConfig(task="KeyRoom-S5", keys=KEYS, encoder=encoder, seed=seed, **settings)
    return make_ppo(config, env)


class Ratios(BaseCallback):
    """What the update would begin with, and the rollout it begins from."""

    worst = 0.0
    sampled: dict[str, torch.Tensor]

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        buffer = self.model.rollout_buffer
        policy = self.model.policy
        policy.set_training_mode(True)
        for batch in buffer.get(7):  # not the number of environments: batches are cut otherwise
            _, log_prob, _ = policy.evaluate_actions(batch.observations, batch.actions.flatten())
            ratio = (log_prob - batch.old_log_prob).exp()
            self.worst = max(self.worst, (ratio - 1).abs().max().item())
            self.sampled = batch.observations
        buffer.generator_ready = False
        # `get` has flattened the buffer; learning stops here.
        raise StopIteration


@every
def test_the_ratio_is_one_before_the_first_update(encoder: str, env: Sb3Vec) -> None:
    model, ratios = agent(encoder, env), Ratios()
    with pytest.raises(StopIteration):
        model.learn(24, callback=ratios)
    assert ratios.worst < 1e-5
    if encoder == "semantics":  # kept with each step, never computed anew
        assert set(WINDOW_KEYS) <= set(ratios.sampled)
        assert (model.rollout_buffer.observations["semantics"] != 0).any()

    policy, observed = model.policy, ratios.sampled
    n = len(observed["blstats"])
    with torch.no_grad():
        whole = policy.get_distribution(observed).distribution.logits
        values = policy.predict_values(observed)
        order = torch.randperm(n)
        moved = policy.get_distribution(
            {k: v[order] for k, v in observed.items()}
        ).distribution.logits
        alone = [{k: v[i : i + 1] for k, v in observed.items()} for i in range(n)]
        logits = torch.cat([policy.get_distribution(one).distribution.logits for one in alone])
        assert torch.allclose(moved, whole[order], rtol=0, atol=1e-6)
        assert torch.allclose(logits, whole, rtol=0, atol=1e-6)
        assert torch.equal(policy.get_distribution(observed).distribution.logits, whole)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            cast = policy.predict_values(observed).float()
        assert cast.isfinite().all()
        assert (cast - values).abs().max() < 0.1 * max(1.0, values.abs().max().item())


@every
def test_it_learns_and_the_same_seed_gives_the_same_weights(encoder: str, env: Sb3Vec) -> None:
    started, trained = [], []
    for _ in range(2):
        model = agent(encoder, env)
        started.append({k: v.clone() for k, v in model.policy.state_dict().items()})
        env.seed(5)
        model.learn(24)
        trained.append({k: v.clone() for k, v in model.policy.state_dict().items()})
    before, again = started
    assert all(torch.equal(before[k], again[k]) for k in before)
    first, second = trained
    assert all(torch.equal(first[k], second[k]) for k in first)
    assert all(v.isfinite().all() for v in first.values())
    assert not all(torch.equal(first[k], before[k]) for k in first)


def test_a_mechanism_starts_as_its_paper_says_inside_the_policy(env: Sb3Vec) -> None:
    """SB3 would initialise every Linear and Conv2d of an extractor anew."""
    model = agent("agent", env)
    extractor = model.policy.features_extractor
    mechanism = extractor.parts["glyphs_crop"].mix.mechanism
    assert 0.015 < mechanism.qkv.weight.std() < 0.025
    rows = extractor.joint.weight @ extractor.joint.weight.T
    assert torch.allclose(rows, 2 * torch.eye(len(rows)), atol=1e-4)  # the rest is SB3's own


# Torch's own tracer makes a Function, and looks at .grad of what it traces.
@pytest.mark.filterwarnings("ignore:<class 'torch.autograd.function.Function'> should not be")
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")
@pytest.mark.parametrize(
    "encoder", [pytest.param(e, marks=[pytest.mark.slow] if e != "agent" else []) for e in ENCODERS]
)
def test_an_extractor_can_be_compiled(encoder: str, env: Sb3Vec) -> None:
    model = agent(encoder, env)
    extractor = model.policy.features_extractor
    observed = {k: torch.as_tensor(np.asarray(v)).float() for k, v in env.reset().items()}
    torch._dynamo.reset()
    compiled = torch.compile(extractor, backend="aot_eager")
    with torch.no_grad():
        assert torch.allclose(compiled(observed), extractor(observed), rtol=1e-4, atol=1e-5)


def test_plain_stable_baselines_code(env: Sb3Vec) -> None:
    """As the README shows it."""
    model = PPO(
        "MultiInputPolicy",
        env,
        n_steps=8,
        batch_size=8,
        n_epochs=1,
        policy_kwargs={
            "features_extractor_class": NetHackExtractor,
            "features_extractor_kwargs": {
                "encoder": "gaussian",
                "features_dim": 32,
                "encoder_options": {"form": "softmax"},
            },
        },
    )
    model.learn(24)
    assert model.policy.features_extractor.parts["glyphs_crop"].mix.mechanism.form == "softmax"
