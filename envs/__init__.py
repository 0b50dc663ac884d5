"""MiniHack as the agent and the judge see it.

make, make_vec   one environment, or many stepped together
task, TASKS      the tasks in words: goal, subgoals, actions, legend
play             episodes in words, with the truth of every step
Batch            the games beneath, for observers of one's own
"""

from envs.collect import play
from envs.make import make, make_vec
from envs.stepping.batch import Batch
from envs.tasks import TASKS, task

__all__ = ["TASKS", "Batch", "make", "make_vec", "play", "task"]
