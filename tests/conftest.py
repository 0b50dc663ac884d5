"""For all tests: hypothesis without the clock, and no folders of stable-baselines3 left behind."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

# A loaded machine is no failure.
settings.register_profile("calm", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("calm")


@pytest.fixture(scope="session", autouse=True)
def _sb3_logs_here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A model without a logger would make a folder in the system's temporary one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SB3_LOGDIR", str(tmp_path_factory.mktemp("sb3")))
        yield
