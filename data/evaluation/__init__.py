"""Scores judges against a reference: figures, intervals, paired tests, the paper's table."""
