"""A bonus by its name: built where it can be, and where not, it is said what is missing."""

import pytest

from agents.bonus.make import BONUSES, make_bonus
from calm.errors import UsageError
from envs.bonus.novelty import MakeNovelty


def test_a_name_makes_a_bonus_or_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert make_bonus("none", 8, 0) is None
    assert make_bonus("novelty:cell", 8, 0) == MakeNovelty("novelty:cell")
    assert all(make_bonus(name, 8, 0) is not None for name in BONUSES[1:])
    with pytest.raises(UsageError, match="did you mean 'e3b'"):
        make_bonus("e3c", 8, 0)
    monkeypatch.setattr("agents.bonus.make.find_spec", lambda _: None)
    assert make_bonus("e3b", 8, 0) is not None
    with pytest.raises(UsageError, match=r"torchrl and tensordict.*'\.\[rnd\]'.*or take .* e3b"):
        make_bonus("rnd", 8, 0)
