"""Which subgoals a step achieved, computed from the engine's state; what judges are scored
against."""
