"""Notices prompts that a server has cut in silence, by the tokens that it counted.

Some servers drop the front of a prompt that is longer than their context, answer what is left, and
say nothing (Ollama does). The judgement is then about half a question. All that shows is that the
count of prompt tokens is too small for the prompt.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from calm.records import Usage

FAR_LESS = 0.5
"""A prompt has been cut if it has less than this share of the fewest tokens expected."""
_FEWEST = 1 / 12  # tokens a character: no text has fewer
_APART, _AT_LEAST = 1.05, 200  # characters by which prompts of equally many tokens may differ
_NEWS = 0.98  # the card is written anew where it tells fewer tokens by this factor


class PromptSizes:
    """Compares what a server counts with what its card says of earlier prompts.

    Args:
        card: of the endpoint; `tokens_per_character` holds the fewest by mode of description.
        keep: told what is to be added to the card.
    """

    def __init__(self, card: dict[str, Any], keep: Callable[[Mapping[str, Any]], None]) -> None:
        self._card = card
        self._keep = keep
        self._lengths: dict[int, tuple[int, int]] = {}  # least and most characters by tokens
        self._most_tokens = 0

    def check(self, mode: str, characters: int, usage: Usage) -> str:
        """Returns what was noticed of one answered prompt, "" if nothing.

        Args:
            mode: of the description; maps have fewer tokens a character than sentences.
            characters: length of the prompt.
            usage: as the server counted it; without prompt tokens nothing can be told.
        """
        tokens = usage.prompt_tokens
        if tokens <= 0 or characters <= 0:
            return ""
        known: dict[str, float] = dict(self._card.get("tokens_per_character") or {})
        expected = characters * max(_FEWEST, FAR_LESS * known.get(mode, 0.0))
        if tokens >= expected and not self._at_ceiling(tokens, characters):
            ratio = tokens / characters
            if ratio < _NEWS * known.get(mode, float("inf")):
                self._learn({"tokens_per_character": known | {mode: round(ratio, 4)}})
            return ""
        usual = round(characters * max(_FEWEST, known.get(mode, 0.0)))
        if "cut_prompt" not in self._card:
            self._learn({"cut_prompt": {"characters": characters, "tokens": tokens}})
        return (
            f"the server counted {tokens} tokens in a prompt of {characters:,} characters, where"
            f" {usual} or more were expected: it cut the prompt"
        )

    def _at_ceiling(self, tokens: int, characters: int) -> bool:
        """Returns whether prompts of different lengths had this many tokens, and none had more."""
        least, most = self._lengths.get(tokens, (characters, characters))
        least, most = min(least, characters), max(most, characters)
        self._lengths[tokens] = least, most
        self._most_tokens = max(self._most_tokens, tokens)
        apart = most >= _APART * least and most - least >= _AT_LEAST
        return apart and characters > least and tokens == self._most_tokens

    def _learn(self, news: Mapping[str, Any]) -> None:
        self._card |= news
        self._keep(news)
