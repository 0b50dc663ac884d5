"""MiniHack's skill tasks: their subgoals, rules and truth."""
