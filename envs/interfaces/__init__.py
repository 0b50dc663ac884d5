"""Offers a batch as Gymnasium and stable-baselines3 expect it, with history and episodes' sums."""
