"""A hub of a test's own: fixtures that a conftest imports."""

from collections.abc import Iterator

import pytest

from tests.support.loopback_hub import TOKEN, LoopbackHub


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of this user's own tokens is seen by a test."""
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", "/nowhere/token")
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    # Loopback speaks the older protocol for large files.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)


@pytest.fixture
def empty_hub(monkeypatch: pytest.MonkeyPatch, nobody: None) -> Iterator[LoopbackHub]:
    """A hub without repositories, and the right to write to it."""
    with LoopbackHub() as made:
        monkeypatch.setenv("HF_ENDPOINT", made.url)
        # The client has read it when it was imported.
        files = f"{made.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", made.url)
        monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", files)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        yield made
