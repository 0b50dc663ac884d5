"""PPO with a faster rollout and update, equal to stable-baselines3's."""
