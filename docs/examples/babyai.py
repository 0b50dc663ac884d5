"""A toolkit for other games too: BabyAI in words, judged, and trained by stable-baselines3.

python docs/examples/babyai.py                    # two agents, a minute or two
python docs/examples/babyai.py openai:MODEL
"""

import sys
from typing import Any

import gymnasium
import minigrid  # noqa: F401  registers BabyAI's environments
import numpy as np
from stable_baselines3 import PPO

from calm import Annotator, JudgedCredit, Store, Subgoal, Task, make_judge

ACTIONS = ("turn left", "turn right", "go forward", "pick up", "drop", "toggle", "done")
TASK = Task(
    "BabyAI-OpenRedDoor-v0",
    "Open the red door.",
    (
        Subgoal("face the door", "The agent comes to look at the door from the cell before it."),
        Subgoal("open the door", "The closed door opens."),
    ),
    ACTIONS,
)
RULES = {"face the door": ("stands before the door",), "open the door": ("door is open now",)}


class Words(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Shows an agent numbers (what it sees and its direction), and puts a step into words."""

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        super().__init__(env)
        self.observation_space = gymnasium.spaces.Box(0, 10, (7 * 7 * 3 + 4,), np.float32)

    def reset(self, **options: Any) -> tuple[Any, dict[str, Any]]:
        observation, info = self.env.reset(**options)
        return self.numbers(observation), info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        facing, is_open = self.look()
        observation, reward, terminated, truncated, info = self.env.step(action)
        now_facing, now_open = self.look()
        lines = [f"Action: {ACTIONS[int(action)]}."]
        if now_facing and not facing:
            lines.append("The agent stands before the door now, and looks at it.")
        if now_open and not is_open:
            lines.append("The door is open now.")
        info = {**info, "words": "\n".join(lines), "success": terminated and reward > 0}
        return self.numbers(observation), reward, terminated, truncated, info

    def look(self) -> tuple[bool, bool]:
        """Returns whether the cell in front is a door, and whether a door there is open."""
        grid = self.unwrapped.grid  # type: ignore[attr-defined]
        cell = grid.get(*self.unwrapped.front_pos)  # type: ignore[attr-defined]
        return cell is not None and cell.type == "door", bool(getattr(cell, "is_open", False))

    @staticmethod
    def numbers(observation: dict[str, Any]) -> np.ndarray:
        turned = np.eye(4)[observation["direction"]]
        return np.concatenate([observation["image"].ravel(), turned]).astype(np.float32)


def train(env: gymnasium.Env[Any, Any], steps: int) -> float:
    """Trains PPO; returns the share of the last 50 episodes in which the door was opened."""
    done: list[bool] = []

    def note(local: dict[str, Any], _: dict[str, Any]) -> bool:
        if local["dones"][0]:
            done.append(local["infos"][0]["success"])
        return True  # do not stop

    PPO("MlpPolicy", env, n_steps=512, ent_coef=0.01, seed=0).learn(steps, callback=note)
    return float(np.mean(done[-50:]))


def main(judge: str = "rules", steps: int = 12_000) -> dict[str, float]:
    """Trains with credit and without; returns both shares of success."""
    with Store("answers.sqlite") as store:
        options = {"rules": RULES} if judge == "rules" else {}
        annotator = Annotator(make_judge(judge, store=store, **options), TASK)
        env = Words(gymnasium.make(TASK.id))
        judged = JudgedCredit(env, annotator, lambda *step: step[-1]["words"], weight=0.3)
        success = {"without credit": train(env, steps), "with credit": train(judged, steps)}
    for name, share in success.items():
        print(f"{name}: the door was opened in {share:.0%} of the last 50 episodes")
    print(f"{len(annotator.texts)} distinct questions")
    return success


if __name__ == "__main__":
    main(*sys.argv[1:2])
