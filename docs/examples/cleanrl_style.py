"""PPO in one file on our Gymnasium vector environment, with judged credit in its reward.

python docs/examples/cleanrl_style.py             # 200,000 steps: minutes on two cores
python docs/examples/cleanrl_style.py 20000
"""

import sys

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributions import Categorical

from calm import Annotator, make_judge
from envs import make_vec, task

ENVS, STEPS, EPOCHS, MINIBATCHES = 32, 128, 3, 4
GAMMA, LAMBDA, CLIP, ENTROPY = 0.99, 0.95, 0.2, 0.01
GLYPHS = 5977  # nle's numbers for what a cell shows, and one for nothing


class Agent(nn.Module):
    """The 9 x 9 cells around the hero and the achieved subgoals, to logits and a value."""

    def __init__(self, subgoals: int, actions: int) -> None:
        super().__init__()
        self.glyphs = nn.Embedding(GLYPHS, 16)
        self.body = nn.Sequential(nn.Linear(81 * 16 + subgoals, 256), nn.Tanh())
        self.policy, self.value = nn.Linear(256, actions), nn.Linear(256, 1)

    def forward(self, crops: Tensor, progress: Tensor) -> tuple[Categorical, Tensor]:
        cells = self.glyphs(crops.long()).flatten(1)
        features = self.body(torch.cat([cells, progress.float()], 1))
        return Categorical(logits=self.policy(features)), self.value(features).squeeze(1)


def tensors(observation: dict[str, np.ndarray]) -> tuple[Tensor, Tensor]:
    return torch.tensor(observation["glyphs_crop"]), torch.tensor(observation["progress"])


def main(total: int = 200_000, n_envs: int = ENVS, n_steps: int = STEPS) -> float:
    """Trains; returns the share of the last 100 episodes that reached the stairs."""
    torch.manual_seed(0)
    level = task("KeyRoom-S5")
    judge = Annotator(make_judge("rules"), level)  # or any model: about 200 questions in all
    env = make_vec(level, n_envs, judge=judge, weight=0.3, penalty=False, keys=("glyphs_crop",))
    agent = Agent(len(level.subgoals), int(env.single_action_space.n))
    optimizer = torch.optim.Adam(agent.parameters(), lr=5e-4, eps=1e-5)
    successes: list[bool] = []
    now = tensors(env.reset(seed=0)[0])
    for update in range(1, max(1, total // (n_envs * n_steps)) + 1):
        steps = []
        for _ in range(n_steps):
            with torch.no_grad():
                policy, value = agent(*now)
                action = policy.sample()
            observation, rewards, terminated, truncated, infos = env.step(action.numpy())
            for i in np.flatnonzero(truncated):  # cut, not ended: what would have come still counts
                last = {k: v[None] for k, v in infos["final_obs"][i].items()}
                with torch.no_grad():
                    rewards[i] += GAMMA * agent(*tensors(last))[1].item()
            ended = terminated | truncated
            if ended.any():
                successes += infos["final_info"]["episode"]["success"][ended].tolist()
            goes_on = torch.tensor(~ended).float()
            reward = torch.tensor(rewards)
            steps.append((*now, action, policy.log_prob(action), value, reward, goes_on))
            now = tensors(observation)
        advantage, advantages = torch.zeros(n_envs), []
        with torch.no_grad():
            following = agent(*now)[1]
        for *_, value, reward, goes_on in reversed(steps):
            delta = reward + GAMMA * following * goes_on - value
            advantage = delta + GAMMA * LAMBDA * goes_on * advantage
            advantages.insert(0, advantage)
            following = value
        crops, progress, actions, logs, values, *_ = map(torch.cat, zip(*steps, strict=True))
        gains = torch.cat(advantages)
        returns = gains + values
        for _ in range(EPOCHS):
            for rows in torch.randperm(len(actions)).chunk(MINIBATCHES):
                policy, value = agent(crops[rows], progress[rows])
                ratio = (policy.log_prob(actions[rows]) - logs[rows]).exp()
                a = gains[rows]
                a = (a - a.mean()) / (a.std() + 1e-8)
                better = torch.min(ratio * a, ratio.clamp(1 - CLIP, 1 + CLIP) * a).mean()
                error = 0.5 * (value - returns[rows]).square().mean()
                loss = -better + 0.5 * error - ENTROPY * policy.entropy().mean()
                optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(agent.parameters(), 0.5)
                optimizer.step()
        share = float(np.mean(successes[-100:] or [0]))
        print(f"{update * n_envs * n_steps:,} steps: {share:.0%}, {judge.questions} questions")
    env.close()
    return share


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
