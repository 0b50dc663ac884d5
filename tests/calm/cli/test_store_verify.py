"""`calm store verify`: what is well, and what is damaged."""

from pathlib import Path

from tests.support.kitchen import calm


def test_verify_says_what_is_well_and_what_is_damaged(folder: Path) -> None:
    done = calm("store", "verify", cwd=folder)
    assert done.returncode == 0
    assert "3 answers" in done.stdout
    path = folder / "calm.sqlite"
    content = bytearray(path.read_bytes())
    content[4096 * 3 : 4096 * 9] = bytes(4096 * 6)
    path.write_bytes(content)
    done = calm("store", "verify", cwd=folder)
    assert done.returncode == 6
    assert "damaged" in done.stderr
    assert path.read_bytes() == content
