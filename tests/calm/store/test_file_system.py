"""File systems that can't hold a store are told apart and refused."""

from pathlib import Path

import pytest

from calm.errors import StoreError
from calm.store.file_system import file_system_type, network_file_system
from calm.store.store import Store


@pytest.mark.parametrize(
    ("type", "name"),
    [(0x6969, "NFS"), (0xFE534D42, "SMB 2"), (0x0BD00BD0, "Lustre"), (0x65735546, "FUSE")],
)
def test_network_file_systems_are_told_by_their_number(type: int, name: str) -> None:
    assert network_file_system(Path("s.sqlite"), lambda path: type) == name


@pytest.mark.parametrize("type", [0xEF53, 0x01021994, 0x794C7630, 0x9123683E, 0x58465342, 0])
def test_local_ones_are_taken(type: int) -> None:  # ext4, tmpfs, overlay, btrfs, xfs, not told
    assert network_file_system(Path("s.sqlite"), lambda path: type) is None


def test_the_systems_of_this_machine_are_told_as_they_are(tmp_path: Path) -> None:
    assert file_system_type(Path("/proc/self/status")) == 0x9FA0
    if Path("/dev/shm").is_dir():
        assert file_system_type(Path("/dev/shm")) == 0x01021994
    there = file_system_type(tmp_path)
    assert there != 0
    assert file_system_type(tmp_path / "not" / "yet" / "there") == there
    with Store(tmp_path / "s.sqlite") as store:
        assert store.models() == []


def test_a_store_there_is_refused_with_the_way_out_and_read_where_nobody_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store(tmp_path / "s.sqlite") as store:
        store.keep_card("e", "m", {"format": "json"})
    monkeypatch.setattr("calm.store.database.network_file_system", lambda path: "NFS")
    with pytest.raises(StoreError, match=r"on NFS.*calm owner serve.*calm store merge"):
        Store(tmp_path / "s.sqlite")
    with pytest.raises(StoreError, match="on NFS"):
        Store(tmp_path / "new.sqlite")
    assert not (tmp_path / "new.sqlite").exists()
    with Store(tmp_path / "s.sqlite", readonly=True) as store:
        assert store.card("e", "m") == {"format": "json"}
    assert [p.name for p in tmp_path.iterdir()] == ["s.sqlite"]
    Store()  # in memory
