"""PPO's loss, by hand on two transitions."""

from math import exp, log

import pytest
import torch

from agents.ppo.loss import STATISTICS, Coefficients, Played, summed_loss

EVEN = log(0.5)
LOGITS = torch.tensor([[0.0, 0.0], [log(3.0), 0.0]])  # probabilities 1/2, 1/2 and 3/4, 1/4
VALUES = torch.tensor([1.0, -1.0])
PLAYED = Played(
    actions=torch.tensor([[0], [1]]),
    log_probs=torch.tensor([EVEN, EVEN]),  # ratios now 1 and 1/2
    advantages=torch.tensor([2.0, -4.0]),
    values=torch.tensor([0.0, -0.9]),
    returns=torch.tensor([3.0, 0.0]),
)


def statistics(n: int, clip_vf: float | None = None) -> dict[str, float]:
    by = Coefficients(clip=0.2, clip_vf=clip_vf, value=0.5, entropy=0.1)
    loss, of_all = summed_loss(LOGITS, VALUES, PLAYED, by, n)
    return {"loss": loss.item(), **dict(zip(STATISTICS, of_all.tolist(), strict=True))}


def test_the_loss_is_the_papers() -> None:
    of_both = statistics(2)
    policy = -(2.0 * 1 + min(-4.0 * 0.5, -4.0 * 0.8)) / 2  # the second is clipped at 0.8
    value = ((1 - 3) ** 2 + (-1 - 0) ** 2) / 2
    entropy = -(EVEN + 0.75 * log(0.75) + 0.25 * log(0.25)) / 2
    assert of_both["policy_gradient_loss"] == pytest.approx(policy)
    assert of_both["value_loss"] == pytest.approx(value)
    assert of_both["entropy_loss"] == pytest.approx(-entropy)
    assert of_both["loss"] == pytest.approx(policy + 0.5 * value - 0.1 * entropy)
    assert of_both["clip_fraction"] == 0.5
    # Schulman's estimate of the divergence: r - 1 - log r.
    assert of_both["approx_kl"] == pytest.approx((exp(log(0.5)) - 1 - log(0.5)) / 2)


def test_values_move_no_farther_than_they_may() -> None:
    # From 0 to 1, of which 0.5 counts; from -0.9 to -1, all of it.
    assert statistics(2, clip_vf=0.5)["value_loss"] == pytest.approx(((0.5 - 3) ** 2 + 1) / 2)


def test_parts_add_up_to_the_minibatch() -> None:
    by = Coefficients(0.2, None, 0.5, 0.1)
    parts = []
    for row in (slice(0, 1), slice(1, 2)):
        played = Played(*(one[row] for one in PLAYED))
        parts.append(summed_loss(LOGITS[row], VALUES[row], played, by, 2))
    whole, of_all = summed_loss(LOGITS, VALUES, PLAYED, by, 2)
    assert sum(loss.item() for loss, _ in parts) == pytest.approx(whole.item())
    assert torch.allclose(torch.stack([s for _, s in parts]).sum(0), of_all)
