"""A set is streamed: ten times the rows take next to no more memory, answers written out too."""

from pathlib import Path

import pytest

from tests.support.large_set import peak_memory, write_large_set

COMMANDS = {
    "annotate": ["annotate", "--judge", "always-no"],
    "annotate a draw": ["annotate", "--judge", "always-no", "--limit", 1000],
    "evaluate": ["evaluate", "--judge", "always-no", "--judge", "random"],
    "evaluate a draw": ["evaluate", "--judge", "always-no", "--limit", 1000],
}
BYTES_A_ROW = 200
"""That a row may take, of a text of seventy and the objects around it some two thousand."""


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", COMMANDS)
def test_memory_grows_by_little_a_row(name: str, tmp_path: Path) -> None:
    small, large = 30_000, 300_000
    peaks = []
    for rows in (small, large):
        path = tmp_path / f"{rows}.parquet"
        write_large_set(path, rows)
        out = tmp_path / ("out" if "evaluate" in name else "out.parquet")
        peaks.append(peak_memory(*COMMANDS[name], "--data", path, "--out", out))
    growth = (peaks[1] - peaks[0]) * 2**20 / (large - small)
    assert growth < BYTES_A_ROW, peaks
