"""All that a game says in a step: worked by hand, and the same on both paths of the environment."""

import numpy as np
import pytest

from envs.game.messages import BYTES, TIME, Messages
from envs.stepping.batch import Batch


class Saying:
    """A game that says what the test wants."""

    def __init__(self) -> None:
        self.row = np.full(BYTES, 7, np.uint8)
        self.message, self.internal = np.zeros(256, np.uint8), np.zeros(9, np.int32)
        self.blstats = np.zeros(27, np.int64)
        self.messages = Messages(self.row, self.message, self.internal, self.blstats)
        self.messages.begin()

    def say(self, text: str, ends: bool = False, asks: bool = False) -> str:
        """Says a message; returns all that is heard up to then."""
        self.message[:] = np.frombuffer(text.encode().ljust(256, b"\0"), np.uint8)
        self.internal[1] = asks
        self.messages.hear(ends)
        return bytes(self.row).split(b"\0")[0].decode()


def test_messages_of_a_step_are_heard_in_their_order_and_repeated_ones_once() -> None:
    game = Saying()
    assert game.say("You kill it!") == "You kill it!"
    assert game.say("You kill it!") == "You kill it!"
    assert game.say("") == "You kill it!"
    assert game.say("It bites!", ends=True) == "You kill it! It bites!"
    assert game.say("You kill it!") == "You kill it! It bites! You kill it!"
    game.messages.begin()
    assert not game.row.any()
    assert game.say("It bites!", ends=True) == "It bites!"


def test_a_question_is_heard_only_where_no_key_of_the_step_answers_it() -> None:
    game = Saying()
    assert game.say("Unlock it?", asks=True) == ""
    assert game.say("The door opens.") == "The door opens."
    assert game.say("In what direction?", asks=True, ends=True) == (
        "The door opens. In what direction?"
    )


def test_what_was_on_the_screen_before_is_heard_again_only_if_time_has_passed() -> None:
    """A key that does nothing leaves the old message there."""
    game = Saying()
    assert game.say("You kill it!", ends=True) == "You kill it!"
    game.messages.begin()
    assert game.say("You kill it!", ends=True) == ""
    assert game.say("It bites!", ends=True) == "It bites!"
    game.messages.begin()
    game.blstats[TIME] += 1
    assert game.say("It bites!", ends=True) == "It bites!"
    game.messages.begin(episode=True)
    assert game.say("It bites!", ends=True) == "It bites!"


@pytest.mark.parametrize("letters", [255, 254, 3])
def test_what_does_not_fit_is_cut_off_and_a_zero_is_last(letters: int) -> None:
    game = Saying()
    for n in range(300):
        heard = game.say(chr(97 + n % 7) * letters)
    assert len(heard) == BYTES - 1
    assert game.row[-1] == 0


@pytest.mark.parametrize("name", ["CorridorBattle", "KeyRoom-S5", "Quest-Easy"])
def test_both_paths_hear_the_same(name: str) -> None:
    """And where a step says but one thing, it is nle's message."""
    heard: list[list[bytes]] = []
    last_ones = [b""]
    for native in (True, False):
        options = {"seed": 3, "descriptions": 3, "native": native}
        with Batch(f"MiniHack-{name}-v0", 3, ("message",), **options) as batch:  # type: ignore[arg-type]
            rng = np.random.default_rng(5)
            batch.reset()
            texts = [bytes(row) for row in batch.arrays["messages"]]
            for _ in range(300):
                batch.step(rng.integers(batch.n_actions, size=3))
                texts += [bytes(row) for row in batch.reached("messages")]
                last_ones += [bytes(row).split(b"\0")[0] for row in batch.reached("message")]
            heard.append(texts)
    assert heard[0] == heard[1]
    shown = [text.split(b"\0")[0] for text in heard[1][3:]]
    assert all(
        text.endswith(last) or not text for text, last in zip(shown, last_ones[-900:], strict=True)
    )
    assert any(text != last for text, last in zip(shown, last_ones[-900:], strict=True))


def test_other_versions_of_the_texts_gather_nothing() -> None:
    with Batch("MiniHack-Room-5x5-v0", 1, ("message",), descriptions=2) as batch:
        assert "messages" not in batch.arrays
