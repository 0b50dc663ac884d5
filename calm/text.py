"""Takes out of untrusted text what could deceive a model's prompt or a person's terminal."""

from __future__ import annotations

import re

# C0 but tab and newline, DEL and C1, soft hyphen, zero-width and bidirectional marks, line and
# paragraph separators, lone surrogates, byte-order mark, tags.
_UNSEEN = re.compile(
    "\x1b\\[[0-9;?]*[ -/]*[@-~]"  # whole colour and cursor sequences of a terminal
    "|[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\ud800-\udfff\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
# Our own marks, and the turn marks of common chat templates, which some servers read in content.
_MARKS = re.compile(
    r"<(?=\s*/?\s*transition)|<(?=\|\w+\|>)|<(?=/?s>)|<(?=(?:start|end)_of_turn>)|\[(?=/?INST\])",
    re.IGNORECASE,
)


def clean(text: str) -> str:
    """Returns the text without control or invisible characters, and without anything like a mark.

    Newlines and tabs stay; `<` and `[` that open a mark become `‹` and `⟦`, so widths stay too.
    """
    text = _UNSEEN.sub("", text.replace("\r\n", "\n"))
    return _MARKS.sub(lambda m: "‹" if m[0] == "<" else "⟦", text)
