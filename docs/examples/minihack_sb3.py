"""MiniHack with stable-baselines3's PPO, in the settings of `calm train`.

python docs/examples/minihack_sb3.py              # 300,000 steps: minutes on two cores
python docs/examples/minihack_sb3.py 20000
"""

import sys

import numpy as np
from stable_baselines3 import PPO

from agents.network.extractor import NetHackExtractor
from envs import make_vec

KEYS = ("glyphs_crop", "inv_glyphs", "blstats")


def main(steps: int = 300_000, n_envs: int = 32, n_steps: int = 128, episodes: int = 100) -> float:
    """Trains on train levels; returns the share of held-out levels that are finished."""
    env = make_vec(
        "KeyRoom-S5",
        n_envs,
        kind="sb3",
        keys=KEYS,
        judge="truth",  # the engine's own judgement; an `Annotator` asks any judge
        weight=0.3,
        penalty=False,  # MiniHack's -0.01 for idle steps holds an agent back here
    )
    model = PPO(
        "MultiInputPolicy",
        env,
        n_steps=n_steps,  # of each environment: SB3's own 2,048 would make rollouts of 65,536 steps
        batch_size=n_envs * n_steps // 4,  # four minibatches
        n_epochs=3,
        learning_rate=5e-4,
        ent_coef=0.01,
        policy_kwargs={
            "features_extractor_class": NetHackExtractor,
            "features_extractor_kwargs": {"encoder": "cnn"},
        },
        seed=0,
        verbose=1,
    )
    model.learn(steps)
    env.close()
    share = success(model, episodes)
    print(f"{share:.0%} of {episodes} held-out levels finished")
    return share


def success(model: PPO, episodes: int) -> float:
    """Returns the share of levels of the test split that the agent finishes, actions sampled."""
    env = make_vec("KeyRoom-S5", 16, kind="sb3", keys=KEYS, judge="truth", split="test", workers=0)
    finished: list[bool] = []
    observation = env.reset()
    while len(finished) < episodes:
        action, _ = model.predict(observation, deterministic=False)
        observation, _, done, infos = env.step(action)
        finished += [infos[i]["episode"]["success"] for i in np.flatnonzero(done)]
    env.close()
    return float(np.mean(finished[:episodes]))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
