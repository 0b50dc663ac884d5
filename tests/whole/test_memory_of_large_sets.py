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
BYTES_A_ROW = 400
"""That a row may take, numbers kept of each row and what an allocator holds back included; a row in
memory took 1,190 with its texts of seventy letters, before its answer."""
ROWS = (70_000, 210_000)
"""Both more than are written as one group, 65,536."""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("large")
    for rows in ROWS:
        write_large_set(folder / f"{rows}.parquet", rows)
    return [folder / f"{rows}.parquet" for rows in ROWS]


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", COMMANDS)
def test_memory_grows_by_little_a_row(name: str, files: list[Path], tmp_path: Path) -> None:
    store = ("--store", tmp_path / "none.sqlite")
    peaks = [
        peak_memory(*COMMANDS[name], *store, "--data", path, "--out", tmp_path / f"{i}.parquet")
        for i, path in enumerate(files)
    ]
    growth = (peaks[1] - peaks[0]) * 2**20 / (ROWS[1] - ROWS[0])
    assert growth < BYTES_A_ROW, peaks
