"""C is compiled once for its sources, flags and machine; where it fails, nothing is left."""

import ctypes
import subprocess
from pathlib import Path

import pytest

from calm.native_build import build, failure, why_not

if why_not():
    pytest.skip(str(why_not()), allow_module_level=True)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "calm"


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    (folder := tmp_path / "sources").mkdir()
    (folder / "answer.h").write_text("#define ANSWER 42\n")
    (folder / "answer.c").write_text('#include "answer.h"\nint answer(void) { return ANSWER; }\n')
    (folder / "main.c").write_text("int answer(void);\nint main(void) { return answer(); }\n")
    return folder


def make(sources: Path, *flags: str, machine: str = "") -> Path:
    products = {"answer.so": ("answer.c",), "answer": ("answer.c", "main.c")}
    return build("answer", sources, products, flags=flags, headers=("answer.h",), machine=machine)


def test_a_library_and_a_program_are_compiled_once(sources: Path, cache: Path) -> None:
    folder = make(sources)
    assert ctypes.CDLL(str(folder / "answer.so")).answer() == 42
    assert subprocess.run([folder / "answer"], check=False).returncode == 42
    when = (folder / "answer.so").stat().st_mtime_ns
    assert make(sources) == folder
    assert (folder / "answer.so").stat().st_mtime_ns == when
    assert list(cache.iterdir()) == [folder]


def test_other_flags_headers_or_machines_make_another(sources: Path) -> None:
    folders = {make(sources), make(sources, "-O1"), make(sources, machine="another")}
    (sources / "answer.h").write_text("#define ANSWER 43\n")
    folders.add(make(sources))
    assert len(folders) == 4


def test_what_does_not_compile_leaves_nothing_and_says_why(sources: Path, cache: Path) -> None:
    (sources / "main.c").write_text("int main(void) { return nothing; }\n")
    with pytest.raises(subprocess.SubprocessError) as raised:
        make(sources)
    assert "nothing" in failure(raised.value)
    assert not list(cache.iterdir())


def test_the_reason_to_do_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "no-such-compiler -m64")
    assert why_not() == "there is no C compiler (no-such-compiler)"
    monkeypatch.setenv("CALM_NATIVE", "0")
    assert why_not() == "CALM_NATIVE=0 asks for it"
