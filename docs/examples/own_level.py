"""A level of one's own: played, put into words, judged, and stepped as a batch with its credit.

python docs/examples/own_level.py                 # cellar.yaml and cellar.des beside this file
python docs/examples/own_level.py my_task.yaml
"""

import sys
from collections import Counter
from pathlib import Path

import numpy as np

from calm import Annotator, make_judge
from envs import make_vec, play, task

CELLAR = Path(__file__).with_name("cellar.yaml")


def main(file: str = str(CELLAR), steps: int = 300) -> dict[str, float]:
    """Plays the level; returns the sums of its reward and of the credit."""
    level = task(file)
    print(f"{level.id}: {level.goal}")
    rows = list(play(level, "random", episodes=2))
    texts = Counter(row.transition.texts["events"] for row in rows)
    print(f"{len(rows)} steps of random play have {len(texts)} different descriptions, such as:")
    print(max(texts, key=len))

    judge = make_judge("rules")  # or "openai:MODEL", "local:MODEL" with a `Store`
    env = make_vec(level, 4, judge=Annotator(judge, level), weight=0.3, workers=0)
    rng = np.random.default_rng(0)
    env.reset(seed=0)
    sums = {"reward": 0.0, "credit": 0.0}
    for _ in range(steps):
        actions = rng.integers(env.single_action_space.n, size=env.num_envs)
        _, _, _, _, infos = env.step(actions)
        sums["reward"] += float(infos["r_env"].sum())
        sums["credit"] += float(infos["credit"].sum())
    env.close()
    print(f"{4 * steps} random steps: reward {sums['reward']:.2f}, credit {sums['credit']:.0f}")
    return sums


if __name__ == "__main__":
    main(*sys.argv[1:2])
