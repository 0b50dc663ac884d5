"""Writes one self-contained HTML page of runs: curves, tables and samples."""
