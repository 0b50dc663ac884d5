"""A level of two rows with two boulders: one before a pit, the other before a fountain."""

LEVEL = """MAZE: "mylevel", ' '
FLAGS: noteleport, hardfloor, premapped
GEOMETRY: center, center
MAP
|----------|
|..........|
|..........|
|----------|
ENDMAP
REGION: (0,0,11,3), lit, "ordinary"
NON_DIGGABLE: (0,0,11,3)
BRANCH: (1,1,1,1), (0,0,0,0)
OBJECT: ('`', "boulder"), (2,1)
TRAP: "pit", (3,1)
OBJECT: ('`', "boulder"), (5,1)
FOUNTAIN: (6,1)
MONSTER: ('F', "lichen"), (9,2), asleep
STAIR: (10,1), down
"""
"""The hero begins in the corner; ten steps east pass over all of it, beside a sleeping lichen."""
TASK = "MiniHack-Navigation-Custom-v0"
EAST = 1
