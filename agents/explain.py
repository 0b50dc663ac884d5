"""Where a trained agent looks, drawn and checked.

Where an encoder attends is read from its mechanism (agents' gathering, Gaussian weights, the gates
of the scan's routes, softmax rows). Encoders that say nothing of the sort are asked by occlusion:
importance of a cell is then KL(policy || policy with that cell hidden).

The check is the same for all: hiding the cells drawn as most important must move the policy more
than hiding as many random known cells, or the drawing means nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import VecEnv
from torch import Tensor

from agents.explain_page import draw_situation, draw_time, write_page
from agents.judging import make_shaper
from agents.maps import MapEncoder
from agents.parts import NO_GLYPH, STONE
from agents.ppo import make_ppo
from agents.run import Run
from agents.windowed import WindowEncoder
from calm.decompose import find_subgoals
from calm.errors import UsageError
from envs import make_vec
from envs.tasks import task as find_task
from envs.window import GROUPS, group_of

Observations = dict[str, Tensor]
CROP, CHARS = "glyphs_crop", "chars_crop"
N_ENVS = 8


@dataclass(frozen=True)
class Explanation:
    """What was drawn, and whether it means something."""

    run: str
    encoder: str
    source: str
    """Where importance comes from: the mechanism, or occlusion."""
    observations: int
    hidden: int
    kl_top: float
    """Mean KL(policy || policy with the top cells hidden), in nats."""
    kl_random: float
    """The same with as many random known cells hidden."""
    higher: float
    """Share of observations in which the top cells move the policy more than the random ones."""
    value_top: float
    """Mean absolute change of the value with the top cells hidden."""
    value_random: float
    by_group: dict[str, float]
    """Importance (0 to 1 in each observation) by kind of glyph: mean over its cells."""
    files: list[str]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def lines(self) -> list[str]:
        """The summary as text."""
        ratio = self.kl_top / max(self.kl_random, 1e-12)
        groups = ", ".join(f"{name} {value:.2f}" for name, value in self.by_group.items())
        return [
            f"{self.encoder}, importance from {self.source}, {self.observations} observations",
            f"hiding the {self.hidden} top cells moves the policy by KL {self.kl_top:.4f}, random"
            f" ones by {self.kl_random:.4f} ({ratio:.1f} x; more in {self.higher:.0%})",
            f"and the value by {self.value_top:.4f} against {self.value_random:.4f}",
            f"importance by kind of glyph: {groups}",
            f"drawn in {self.files[-1]}",
        ]


def explain_run(
    folder: Path, situations: int = 6, observations: int = 256, hide: int = 8, seed: int = 0
) -> Explanation:
    """Draws and checks the agent of a run; writes into its folder.

    Raises:
        UsageError: no run, no checkpoint, or an agent that does not see the crop.
    """
    run = Run.open(folder)
    config = run.config
    if CROP not in config.keys:
        raise UsageError(f"{folder}: only agents that see {CROP} can be explained so far")
    task = find_task(config.task)
    subgoals = () if config.judge == "none" else find_subgoals(config.subgoals, task, None)
    # The engine's truth stands in for a model: nothing is asked of one to draw a picture.
    judge = config.judge if config.judge in ("none", "rules") else "truth"
    env: VecEnv = make_vec(
        config.task,
        N_ENVS,
        kind="sb3",
        split="test",
        seed=seed,
        keys=(*config.keys, CHARS),
        crop=config.crop,
        judge=make_shaper(judge, task, subgoals, None, None, seed),
        subgoals=subgoals or None,
        window=config.window if config.encoder == "semantics" else 0,
        workers=0,
    )
    try:
        model = make_ppo(config, env)
        model.policy.load_state_dict(run.load_checkpoint()["policy"])
        model.policy.set_training_mode(False)
        seen, chars = record(model, env, observations)
    finally:
        env.close()
    importance, source = importance_of(model, seen)
    known = known_cells(seen)
    top, other = hidden_cells(importance, known, hide, seed)
    kl_top, value_top = moved(model, seen, top)
    kl_random, value_random = moved(model, seen, other)
    out = folder / "explain"
    out.mkdir(exist_ok=True)
    chosen = np.linspace(0, len(chars) - 1, min(situations, len(chars))).astype(int)
    files = [draw_situation(out / "mean.png", None, importance.mean(0), "mean over all")]
    for n, i in enumerate(chosen):
        files.append(draw_situation(out / f"{n}.png", chars[i], importance[i], f"observation {i}"))
    window = model.policy.features_extractor.parts["window"] if config.encoder == "semantics" else 0
    if isinstance(window, WindowEncoder):
        with torch.no_grad():
            gates = window.gates(seen["semantics"], seen["window_valid"])[1]
        files.append(draw_time(out / "steps.png", gates.mean(0).numpy()))
    found = Explanation(
        run=str(folder),
        encoder=config.encoder,
        source=source,
        observations=len(chars),
        hidden=hide,
        kl_top=float(kl_top.mean()),
        kl_random=float(kl_random.mean()),
        higher=float((kl_top > kl_random).float().mean()),
        value_top=float(value_top.mean()),
        value_random=float(value_random.mean()),
        by_group=by_group(importance, crops(seen)),
        files=[*map(str, files), str(folder / "explain.html")],
    )
    write_page(folder / "explain.html", found.lines()[:-1], files)
    return found


def record(model: PPO, env: VecEnv, count: int) -> tuple[Observations, npt.NDArray[np.uint8]]:
    """`count` observations of the policy's own play, every third step, and their characters."""
    torch.manual_seed(0)
    kept: list[dict[str, npt.NDArray[Any]]] = []
    observation = env.reset()
    for step in range(-(-count // env.num_envs) * 3):
        assert isinstance(observation, dict)
        if step % 3 == 0:
            kept.append({key: value.copy() for key, value in observation.items()})
        actions, _ = model.predict(observation, deterministic=False)
        observation = env.step(actions)[0]
    whole = {key: np.concatenate([o[key] for o in kept])[:count] for key in kept[0]}
    chars = whole.pop(CHARS)
    return {k: torch.as_tensor(v).float().to(model.device) for k, v in whole.items()}, chars


def crops(seen: Observations) -> Tensor:
    """The crops that the policy acts on, (B, h, w)."""
    return seen["window_crop"][:, -1] if "window_crop" in seen else seen[CROP]


def known_cells(seen: Observations) -> Tensor:
    """(B, h, w) bool: neither stone nor beyond the map."""
    glyphs = crops(seen)
    return (glyphs != STONE) & (glyphs != NO_GLYPH)


def importance_of(model: PPO, seen: Observations) -> tuple[npt.NDArray[np.float64], str]:
    """(B, h, w) in [0, 1], stretched over the known cells of each crop, and where it is from.

    For Gaussian attention this is the Importance Factor. A mechanism on every second cell gives
    each cell the value of the token that it is folded into.
    """
    extractor = model.policy.features_extractor
    part = dict(extractor.parts.items()).get(CROP)
    known = known_cells(seen)
    mix = part.mix if isinstance(part, MapEncoder) else None
    look: Callable[[Tensor, Tensor], Tensor] | None = None
    if mix is not None:
        look = getattr(mix.mechanism, "attention_map", None)
    if look is None or mix is None:
        weights, source = occlusion(model, seen), "occlusion"
    else:
        assert isinstance(part, MapEncoder)
        with torch.no_grad():
            features = {k: extractor.parts[k](seen[k]) for k in extractor.joining}
            tokens, mask = part.tokens(*part.cells(seen[CROP]), *extractor.extra(seen, features))
            on_map = look(mix.prepared(tokens), mask)[:, part.extra :]
        weights = on_map.unflatten(1, part.grid)
        if not part.fine:  # the second convolution's token j is centred on cell 2 j
            near = [torch.arange(n).div(2).round().long() for n in known.shape[1:]]
            weights = weights[:, near[0]][:, :, near[1]]
        source = "its mechanism"
    low = weights.masked_fill(~known, torch.inf).amin((1, 2), keepdim=True)
    high = weights.masked_fill(~known, -torch.inf).amax((1, 2), keepdim=True)
    stretched = (weights - low) / (high - low).clamp_min(1e-12)
    return torch.where(known, stretched, 0.0).double().cpu().numpy(), source


def occlusion(model: PPO, seen: Observations) -> Tensor:
    """(B, h, w): how far the policy moves, in nats, when one cell is hidden."""
    height, width = crops(seen).shape[1:]
    moves = torch.zeros_like(crops(seen))
    for row in range(height):
        for column in range(width):
            cells = torch.zeros_like(moves, dtype=torch.bool)
            cells[:, row, column] = True
            moves[:, row, column] = moved(model, seen, cells)[0]
    return moves


def moved(model: PPO, seen: Observations, cells: Tensor) -> tuple[Tensor, Tensor]:
    """KL(policy || policy with `cells` (B, h, w) hidden) and the value's absolute change, (B,)."""
    hidden = dict(seen)
    hidden[CROP] = seen[CROP].masked_fill(cells, STONE)
    if "window_crop" in seen:
        last = seen["window_crop"].clone()
        last[:, -1] = last[:, -1].masked_fill(cells, STONE)
        hidden["window_crop"] = last
    with torch.no_grad():
        before = model.policy.get_distribution(seen).distribution
        after = model.policy.get_distribution(hidden).distribution
        kl = torch.distributions.kl_divergence(before, after)
        change = model.policy.predict_values(seen) - model.policy.predict_values(hidden)
    return kl, change.abs().flatten()


def hidden_cells(
    importance: npt.NDArray[np.float64], known: Tensor, count: int, seed: int
) -> tuple[Tensor, Tensor]:
    """The `count` most important known cells of each crop, and as many random known ones."""
    rng = np.random.default_rng(seed)
    flat = known.flatten(1).cpu().numpy()
    sets = []
    for score in (
        importance.reshape(flat.shape) + 1e-9 * rng.random(flat.shape),
        rng.random(flat.shape),
    ):
        order = np.argsort(np.where(flat, score, -1), axis=1)[:, ::-1][:, :count]
        chosen = np.zeros_like(flat)
        np.put_along_axis(chosen, order, True, axis=1)
        sets.append(torch.as_tensor(chosen & flat, device=known.device).view(known.shape))
    return sets[0], sets[1]


def by_group(importance: npt.NDArray[np.float64], glyphs: Tensor) -> dict[str, float]:
    """Mean importance of the cells of each kind of glyph that was in sight, largest first."""
    groups = group_of(glyphs.long().cpu().numpy())
    found = {
        name: float(importance[groups == i].mean())
        for i, (name, _) in enumerate(GROUPS)
        if (groups == i).any()
    }
    return dict(sorted(found.items(), key=lambda item: -item[1]))
