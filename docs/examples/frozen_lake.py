"""FrozenLake in words, judged, and learned by a table: with credit and without.

python docs/examples/frozen_lake.py               # written rules judge: no model, some seconds
python docs/examples/frozen_lake.py openai:MODEL  # a model at OPENAI_BASE_URL, or local:MODEL
"""

import sys
from typing import Any

import gymnasium
import numpy as np

from calm import Annotator, JudgedCredit, Store, Subgoal, Task, make_judge

ACTIONS = ("left", "down", "right", "up")
TASK = Task(
    "FrozenLake8x8-v1",
    "Cross the frozen lake to the gift in its lower right corner, past the holes.",
    (
        Subgoal("enter the lower half", "The elf moves from the upper to the lower half."),
        Subgoal("enter the right half", "The elf moves from the left to the right half."),
        Subgoal("stand next to the gift", "The elf comes to stand next to the gift."),
    ),
    ACTIONS,
)
RULES = {
    "enter the lower half": ("entered the lower half",),
    "enter the right half": ("entered the right half",),
    "stand next to the gift": ("is next to the gift now",),
}
"""What the `rules` judge looks for in a description; a model reads the subgoals' definitions."""


def describe(
    before: int, action: int, after: int, terminated: bool, truncated: bool, info: dict[str, Any]
) -> str:
    """Returns what the step changed, in few and always the same words."""
    lines = [f"Action: {ACTIONS[action]}."]
    (y, x), (new_y, new_x) = divmod(before, 8), divmod(after, 8)
    if y < 4 <= new_y:
        lines.append("The elf entered the lower half of the lake.")
    if x < 4 <= new_x:
        lines.append("The elf entered the right half of the lake.")
    if (y, x) != (new_y, new_x) and (7 - new_y) + (7 - new_x) == 1:
        lines.append("The elf is next to the gift now.")
    if before == after:
        lines.append("The elf did not move.")
    if terminated:
        lines.append("The elf reached the gift." if after == 63 else "The elf fell into a hole.")
    return "\n".join(lines)


def learn(env: gymnasium.Env[Any, Any], episodes: int, seed: int) -> float:
    """Learns by tabular Q-learning; returns the share of the last 100 episodes with the gift."""
    rng = np.random.default_rng(seed)
    values: dict[Any, np.ndarray] = {}
    gifts = []
    for episode in range(episodes):
        state, info = env.reset(seed=seed if episode == 0 else None)
        key, done, r_env = (state, bytes(info.get("progress", b""))), False, 0.0
        while not done:
            row = values.setdefault(key, np.zeros(4))
            explores = rng.random() < max(0.05, 1 - 2 * episode / episodes)
            best = np.flatnonzero(row == row.max())
            action = int(rng.integers(4) if explores else rng.choice(best))
            state, reward, terminated, truncated, info = env.step(action)
            r_env = info.get("r_env", float(reward))  # success is measured on the task's own reward
            key = (state, bytes(info.get("progress", b"")))
            after = 0.0 if terminated else values.setdefault(key, np.zeros(4)).max()
            row[action] += 0.5 * (float(reward) + 0.99 * after - row[action])
            done = terminated or truncated
        gifts.append(r_env)
    return float(np.mean(gifts[-100:]))


def main(judge: str = "rules", episodes: int = 600, seed: int = 0) -> dict[str, float]:
    """Learns with credit and without; returns both shares of success."""
    with Store("answers.sqlite") as store:
        options = {"rules": RULES} if judge == "rules" else {}
        annotator = Annotator(make_judge(judge, store=store, **options), TASK)
        plain = gymnasium.make("FrozenLake8x8-v1", is_slippery=False)
        judged = JudgedCredit(plain, annotator, describe, weight=0.3)
        success = {"without credit": learn(plain, episodes, seed)}
        success["with credit"] = learn(judged, episodes, seed)
    for name, share in success.items():
        print(f"{name}: {share:.0%} of the last 100 episodes reach the gift")
    print(f"{len(annotator.texts)} distinct questions")
    return success


if __name__ == "__main__":
    main(*sys.argv[1:2])
