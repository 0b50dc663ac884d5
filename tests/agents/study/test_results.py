"""Finished cells come back from their files as they were."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from agents.study.results import read_results, write_results
from calm.errors import UsageError
from tests.support import study_cells


def test_results_come_back(tmp_path: Path) -> None:
    plan = study_cells.plan(tmp_path)
    written = study_cells.study(plan)
    write_results(tmp_path / "r", written)
    results = read_results(tmp_path / "r")
    assert set(results) == {r.cell for r in written}
    for result in written:
        back = results[result.cell]
        assert (back.config, back.provenance, back.hash) == (
            result.config,
            result.provenance,
            result.hash,
        )
        for row, its in zip(result.rows, back.rows, strict=True):
            assert row.items() <= its.items()
    assert all(
        row["asked"] is None for r in results.values() if r.cell.arm == "fair" for row in r.rows
    )
    table = pq.read_table(tmp_path / "r" / "cells.parquet").to_pylist()
    assert len(table) == 9 * 5
    assert table[0]["config"] == results[min(results)].hash


def test_settings_say_whether_a_cell_fits(tmp_path: Path) -> None:
    plan = study_cells.plan(tmp_path)
    result = study_cells.study(plan)[0]
    planned = plan.config(result.cell)
    assert result.fits(planned)
    assert not result.fits(planned.model_copy(update={"gamma": 0.9}))
    older = {k: v for k, v in result.config.items() if k != "gae_lambda"}  # a field yet to come
    assert type(result)(result.cell, older, {}, []).fits(planned)
    gone = dict(result.config) | {"a field that is gone": 1}
    assert not type(result)(result.cell, gone, {}, []).fits(planned)


def test_no_folder_is_no_results_and_a_broken_one_is_named(tmp_path: Path) -> None:
    assert read_results(tmp_path / "none") == {}
    plan = study_cells.plan(tmp_path)
    write_results(tmp_path, study_cells.study(plan))
    index = tmp_path / "cells.json"
    whole = json.loads(index.read_text())
    for name, wrong in (("settings", None), ("provenance", None), ("provenance", {"commit": 1})):
        index.write_text(json.dumps([whole[0] | {name: wrong}]))
        with pytest.raises(UsageError, match="can't be read"):
            read_results(tmp_path)
    index.write_text(json.dumps(whole))
    assert len(read_results(tmp_path)) == 9
    (tmp_path / "cells.parquet").write_bytes(b"half")
    with pytest.raises(UsageError, match="can't be read"):
        read_results(tmp_path)
