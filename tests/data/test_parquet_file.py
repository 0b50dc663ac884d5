"""Files that are not what they claim are refused, with an error that names file and column."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from calm.errors import UsageError
from data import parquet_file
from data.parquet import read_transitions, write_transitions
from tests.support.key_and_door import TASK, key_and_door_rows


def written(path: Path) -> pa.Table:
    """Returns a table of three rows that is written at a path."""
    write_transitions(path, key_and_door_rows(3), {TASK.id: TASK})
    return pq.read_table(path)


def test_errors_name_the_file_and_the_column(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    with pytest.raises(UsageError, match=r"t\.parquet: no such file"):
        read_transitions(path)
    path.write_bytes(b"PAR1 but not really")
    with pytest.raises(UsageError, match=r"t\.parquet: cannot be read as parquet"):
        read_transitions(path)
    good = written(path)
    pq.write_table(good.drop_columns(["events"]), path)
    with pytest.raises(UsageError, match=r"t\.parquet: column events is missing"):
        read_transitions(path)
    step = good.schema.get_field_index("step")
    pq.write_table(good.set_column(step, "step", pa.array(["0", "1", "2"])), path)
    with pytest.raises(UsageError, match="column step is string, expected int32"):
        read_transitions(path)
    action = good.schema.get_field_index("action")
    pq.write_table(good.set_column(action, "action", pa.array(["a", None, "c"])), path)
    with pytest.raises(UsageError, match="column action, row 1: empty"):
        read_transitions(path)
    pq.write_table(good.set_column(action, "action", pa.array(["forged"] * 3)), path)
    with pytest.raises(UsageError, match="row 0: its id is"):
        read_transitions(path)
    pq.write_table(good.replace_schema_metadata({"calm.table": "labels"}), path)
    with pytest.raises(UsageError, match="a table of labels, expected transitions"):
        read_transitions(path)
    pq.write_table(good.replace_schema_metadata({}), path)
    with pytest.raises(UsageError, match="does not describe the tasks"):
        read_transitions(path)


def test_size_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "t.parquet"
    written(path)
    for limit, message in [
        ("MAX_CELL_BYTES", "column id: a text of 64 bytes"),
        ("MAX_ROWS", "3 rows"),
        ("MAX_UNPACKED_BYTES", "bytes unpacked"),
        ("MAX_FILE_BYTES", "bytes, more than"),
    ]:
        with monkeypatch.context() as patch:
            patch.setattr(parquet_file, limit, 2)
            with pytest.raises(UsageError, match=message):
                read_transitions(path)
