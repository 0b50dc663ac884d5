"""Transitions, judgements and labels on disk, and judges scored by them; needs no game."""
