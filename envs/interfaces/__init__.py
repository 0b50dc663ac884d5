"""The environment as Gymnasium and stable-baselines3 expect it, with history and episode
statistics."""
