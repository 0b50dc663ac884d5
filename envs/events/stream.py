"""Numbers the events of a batch's steps, and puts each event into its `events` text once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from calm.errors import UsageError
from envs.events import signature as layout
from envs.events.landmarks import landmarks_of
from envs.events.sight import Seeing, Sight
from envs.events.words import quote, words
from envs.game import messages
from envs.game.actions import kind as action_kind
from envs.observer import Actions, Arrays, Bools, Rows, names_of_actions


class EventStream:
    """Follows a batch: the event of every step by its number, and the text of each event.

    An observer: append it to `batch.observers` before `batch.reset()`.

    Args:
        task_id: names the actions.
        batch: has `arrays` with the keys in `EventStream.keys`; and `descriptions`, where the
            texts are not of the first of `envs.events.words.VERSIONS`.
        actions: English names of the batch's actions, where they aren't the task's own.
        sight: makes what packs the changes of a step; `envs.native.sight` has a faster one.

    Raises:
        UsageError: no such task, names that don't fit the batch's actions, or a batch without
            these keys.
    """

    keys = Sight.keys

    def __init__(
        self,
        task_id: str,
        batch: Arrays,
        actions: tuple[str, ...] | None = None,
        sight: Callable[[Arrays, npt.NDArray[np.uint8]], Seeing] = Sight,
    ) -> None:
        names = [action_kind(name) for name in names_of_actions(task_id, batch, actions)]
        if missing := [key for key in self.keys if key not in batch.arrays]:
            raise UsageError(
                f"a stream of events reads {', '.join(missing)}; add to the batch's keys"
            )
        self._kinds = list(dict.fromkeys(names))
        numbers = np.array([self._kinds.index(name) for name in names], np.uint8)
        self._arrays = batch.arrays
        self._version: int = getattr(batch, "descriptions", 1)
        # A task of one's own has another id than the environment that plays it.
        self._landmarks = landmarks_of(getattr(batch, "task", task_id), batch.arrays)
        self._sight = sight(batch, numbers)
        self._message_key = messages.key_of(batch.arrays)
        self.ids: npt.NDArray[np.int64] = np.zeros(len(self._sight.signatures), np.int64)
        """(B,) event of the last step: equal events have equal ids."""
        self.texts: list[str] = []
        """The `events` text of each id."""
        self.in_step = False
        """Whether rows are looked at before they are reset, see `envs.observer.Observer`."""
        self._by_signature: dict[bytes, int] = {}
        self._by_text: dict[str, int] = {}

    def on_reset(self, rows: Rows) -> None:
        self._sight.on_reset(rows)
        if self._landmarks is not None:
            self._landmarks.on_reset(rows)

    def on_step(self, actions: Actions, terminated: Bools, truncated: Bools) -> None:
        self._see(actions, terminated, truncated)
        known = self._by_signature
        signatures = self._sight.signatures.view(f"V{layout.WIDTH}").ravel().tolist()
        ids = [known.get(signature, -1) for signature in signatures]
        if -1 in ids:
            ids = [
                self._put_into_words(row, signatures[row]) if i < 0 else i
                for row, i in enumerate(ids)
            ]
        self.ids = np.array(ids, np.int64)

    def _see(self, actions: Actions, terminated: Bools, truncated: Bools) -> None:
        """Fills the signatures of a step that is not looked at elsewhere."""
        self._sight.on_step(actions, terminated, truncated)
        if self._landmarks is not None:
            self._landmarks.on_step(self._sight.signatures)

    def _put_into_words(self, row: int, signature: bytes) -> int:
        """Returns the number of the event in `row`, put into words where it is new."""
        if signature in self._by_signature:  # two environments met it in this very step
            return self._by_signature[signature]
        sight = self._sight
        values = sight.signatures[row]
        text = words(
            values,
            self._kinds[int(values[layout.ACTION])],
            quote(self._message_in(row)),
            quote(sight.questions[row]),
            self._version,
        )
        number = self._by_text.setdefault(text, len(self.texts))
        if number == len(self.texts):
            self.texts.append(text)
        self._by_signature[signature] = number
        return number

    def _message_in(self, row: int) -> npt.NDArray[Any]:
        """Returns what the game said in the last step in `row`, (256,) or (512,) uint8."""
        message: npt.NDArray[Any] = self._arrays[self._message_key][row]
        return message
