"""The bench of an owner runs and gives its ratios."""

import pytest

from calm.bench import owner


@pytest.mark.slow
def test_it_gives_a_rate_and_latencies_for_each_number_of_askers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(owner, "ASKERS", (2,))
    report = owner.run(quick=True)
    assert report["bench"] == "owner"
    assert list(report["ratios"]) == ["lookups_2"]
    assert report["ratios"]["lookups_2"] > 0
    assert len(report["rows"]) == 6
