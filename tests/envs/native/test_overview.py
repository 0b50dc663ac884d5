"""What the quick function notes of the level is what NetHack's own notes, in the same call."""

import ctypes
import shutil
from pathlib import Path

import numpy as np
import pytest

from calm.native_build import build, why_not
from envs import implementations
from envs.native.build import FLAGS, HEADERS, HERE, PRODUCTS, Built
from envs.stepping.batch import Batch
from envs.tasks import environment_of

COMPARED = Path(__file__).parent / "compared_overview.c"
GAMES, STEPS, EPISODE = 4, 300, 75

pytestmark = pytest.mark.skipif(why_not() is not None, reason=f"no compiler: {why_not()}")


@pytest.fixture(scope="module")
def stepper(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Returns a stepper that compares both functions, and counts."""
    sources = tmp_path_factory.mktemp("native")
    for file in (*HERE.glob("*.c"), *HERE.glob("*.h"), COMPARED):
        shutil.copy(file, sources)
    parts = [COMPARED.name if part == "overview.c" else part for part in PRODUCTS["stepper.so"]]
    headers = (*HEADERS, "overview.c")
    folder = build(
        "compared", sources, {"stepper.so": parts}, flags=FLAGS, headers=headers,
        libraries=("-ldl",),
    )  # fmt: skip
    return Built(folder)


@pytest.mark.parametrize(
    "task", ["KeyRoom-S5", "Room-Ultimate-15x15", "WoD-Hard-Full", "Read-Distr", "Memento-F2"]
)
def test_what_is_noted_is_what_nethack_notes(
    stepper: Built, monkeypatch: pytest.MonkeyPatch, task: str
) -> None:
    monkeypatch.setattr(implementations, "trusted_stepper", lambda: stepper)
    library = ctypes.CDLL(str(stepper.library))
    compared, left, wrong = (
        ctypes.c_uint64.in_dll(library, f"calm_{name}") for name in ("compared", "left", "wrong")
    )
    compared.value = left.value = wrong.value = 0
    environment, options = environment_of(task)
    rng = np.random.default_rng(0)
    with Batch(environment, GAMES, native=True, workers=0, options=options) as batch:
        for step in range(STEPS):
            if step % EPISODE == 0:
                batch.reset()
            batch.step(rng.integers(batch.n_actions, size=GAMES))
    assert wrong.value == 0
    assert compared.value > left.value > 0  # the first of a level is left to NetHack
