"""A task of one's own: a cellar with an apple in it, as two files."""

from pathlib import Path

LEVEL = """MAZE: "mylevel", ' '
FLAGS: noteleport, hardfloor
GEOMETRY: center, center
MAP
|---------|
|.........|
|.........|
|.........|
|---------|
ENDMAP
REGION: (0,0,11,5), lit, "ordinary"
BRANCH: (1,1,1,1), (0,0,0,0)
OBJECT: ('%', "apple"), (5,2)
STAIR: (9,3), down
"""

TASK = """id: Cellar-v0
goal: Pick up the apple and reach the staircase down.
des_file: cellar.des
actions: [move north, move east, move south, move west, pick up]
subgoals:
  - name: pick up an object
    definition: An object of any kind enters the hero's inventory.
  - name: step onto the apple
    definition: The hero comes to stand where the apple lies.
legend: "%  food"
"""


def write_own_task(folder: Path, task: str = TASK) -> Path:
    """Writes the task and its level; the task's YAML file."""
    (folder / "cellar.des").write_text(LEVEL)
    path = folder / "cellar.yaml"
    path.write_text(task)
    return path
