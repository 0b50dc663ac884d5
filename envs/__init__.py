"""MiniHack as the agent and the judge see it."""

from envs.make import make, make_vec

__all__ = ["make", "make_vec"]
