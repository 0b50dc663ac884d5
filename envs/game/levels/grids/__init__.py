"""Draws the levels of MultiRoom, LavaCrossing and SimpleCrossing in C, equal to minigrid's."""
