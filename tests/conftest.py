"""For all tests: one thread, no clock and no chance for hypothesis, Ctrl-C for children."""

import gc
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from calm import native_build

ROOT = Path(__file__).parents[1]

# There is a worker a core: more threads would wait for one another. Before any library looks.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# What is imported for the tests stays: the collector would look through it over and over.
gc.disable()

# A loaded machine is no failure, and a second run tries what the first one did.
settings.register_profile(
    "calm", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
settings.load_profile("calm")

# A shell starts what runs in its background with Ctrl-C ignored, and children would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    gc.enable()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _nothing_of_the_user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No store or weights that happen to lie here, no need of a home, and nothing left behind."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("elsewhere"))
        patch.setenv("PYTHONPATH", str(ROOT), prepend=os.pathsep)
        patch.setenv("SB3_LOGDIR", str(tmp_path_factory.mktemp("sb3")))
        if "CALM_MODELS" not in os.environ:
            patch.setenv("CALM_MODELS", str(tmp_path_factory.mktemp("weights")))
        try:
            native_build.cache_folder().mkdir(parents=True, exist_ok=True)
        except OSError:
            patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield
