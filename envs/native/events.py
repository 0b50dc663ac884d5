"""Numbers events in C, and pays for what a judge has answered about them, within the step.

What happens at every step is in C; an event that is new is put into words by `envs.events.stream`.
"""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from calm.credit import times_array
from envs.events.signature import MESSAGE
from envs.events.stream import EventStream
from envs.game.engine import Array
from envs.native.build import Built
from envs.native.sight import NativeSight
from envs.observer import Actions, Arrays, Bools


class _TableStructure(ctypes.Structure):
    """`calm_table` of events.c."""

    _fields_ = [
        *((name, ctypes.c_int64) for name in ("width", "size", "n")),
        *((name, ctypes.c_void_p) for name in ("keys", "numbers", "rows", "out")),
    ]  # fmt: skip


class Table:
    """A hash table in C: the numbers of signatures.

    Args:
        library: the compiled stepper.
        rows: (B, width) the signatures to look up.
        out: (B,) where their numbers are written.
        size: places, a power of two and at least twice the number of signatures to learn.
    """

    def __init__(
        self,
        library: ctypes.CDLL,
        rows: npt.NDArray[np.uint8],
        out: npt.NDArray[np.int64],
        size: int,
    ) -> None:
        n, width = rows.shape
        self.size = size
        self._library = library
        keys: npt.NDArray[np.uint8] = np.zeros((size, width), np.uint8)
        numbers: npt.NDArray[np.int64] = np.zeros(size, np.int64)
        self._arrays = (keys, numbers, rows, out)  # C keeps bare pointers
        self._structure = _TableStructure(width, size, n, *(a.ctypes.data for a in self._arrays))
        self.pointer = ctypes.byref(self._structure)
        self.address = ctypes.addressof(self._structure)

    def learn(self, known: dict[bytes, int]) -> None:
        """Adds these signatures and their numbers."""
        keys = np.frombuffer(b"".join(known), np.uint8)
        numbers = np.array(list(known.values()), np.int64)
        self._library.calm_learn(
            self.pointer,
            keys.ctypes.data_as(ctypes.c_void_p),
            ctypes.c_int64(len(numbers)),
            numbers.ctypes.data_as(ctypes.c_void_p),
        )


class _PayStructure(ctypes.Structure):
    """`calm_pay` of events.c."""

    _fields_ = [
        *((name, ctypes.c_int64) for name in (
            "known", "subgoals", "once", "unreadable", "pending"
        )),
        *((name, ctypes.c_void_p) for name in (
            "answers", "times", "how", "progress", "final_progress", "credit"
        )),
    ]  # fmt: skip


class NativeCredit:
    """Pays for a judge's answers: `calm.credit.Credit` with the modes `every` and `once`, in C.

    Args:
        status: (B,) int8, not 0 where the last step ended the episode; read at every step.
        times: (G,) how often each subgoal is to be done.
        once: pay each subgoal once an episode, that is as often as it is to be done.
    """

    def __init__(self, status: npt.NDArray[np.int8], times: Sequence[int], once: bool) -> None:
        n_subgoals = len(times)
        shape = len(status), n_subgoals
        self.progress: npt.NDArray[np.float32] = np.zeros(shape, np.float32)
        """(B, G) the share of each subgoal that this episode has done; cleared when it ends."""
        self.final_progress: npt.NDArray[np.float32] = np.zeros(shape, np.float32)
        """(B, G) the same for the episode that the last step ended, where it ended one."""
        self.credit: npt.NDArray[np.float32] = np.zeros(len(status), np.float32)
        """(B,) of the last step; the next one overwrites it."""
        self.any = False
        """Whether the last step paid anything."""
        self._status = status  # C keeps the bare pointers
        self._times = times_array(times, n_subgoals)
        self._structure = _PayStructure(subgoals=n_subgoals, once=once)
        self._structure.times = self._times.ctypes.data
        for name in ("progress", "final_progress", "credit"):
            setattr(self._structure, name, getattr(self, name).ctypes.data)
        self._structure.how = status.ctypes.data
        self.pointer = ctypes.byref(self._structure)
        self.address = ctypes.addressof(self._structure)
        self.set_answers(np.zeros((0, n_subgoals), np.int8))

    def set_answers(self, answers: npt.NDArray[np.int8]) -> None:
        """Sets the answers about each event by its number: (N, G) int8, see `Credit.step`."""
        self._structure.known = 0  # C keeps the bare pointer, which is good for nothing meanwhile
        self._answers = np.ascontiguousarray(answers)
        self._structure.answers = self._answers.ctypes.data
        self._structure.known = len(answers)

    @property
    def unreadable(self) -> int:
        """Steps so far with an answer that could not be read."""
        return int(self._structure.unreadable)

    @unreadable.setter
    def unreadable(self, steps: int) -> None:
        self._structure.unreadable = steps

    @property
    def pending(self) -> int:
        """Steps so far with an answer that had not come yet."""
        return int(self._structure.pending)

    @pending.setter
    def pending(self, steps: int) -> None:
        self._structure.pending = steps


class NativeEventStream(EventStream):
    """Follows a batch as `envs.events.stream.EventStream` does, with the frequent part in C.

    Args:
        task_id, batch: as for `EventStream`.
        built: the compiled stepper.
    """

    def __init__(self, task_id: str, batch: Arrays, built: Built) -> None:
        def sight(batch: Arrays, action_kinds: npt.NDArray[np.uint8]) -> NativeSight:
            # Landmarks are noted here, so that a step can't be looked at elsewhere.
            return NativeSight(batch, action_kinds, built, may_share=self._landmarks is None)

        super().__init__(task_id, batch, sight=sight)
        assert isinstance(self._sight, NativeSight)
        self.in_step = self._sight.in_step
        self.pay: NativeCredit | None = None
        """What pays for the steps; None before `pay_with`."""
        self.paid = False
        """Whether the last step was paid; it was not if one of its events has no answers yet."""
        self._header = self._sight.header
        if self._header is not None:
            weakref.finalize(self, _pay_nothing, self._header)
        # Not the batch, which holds this as an observer: a batch that is dropped is freed at once.
        self._status: Any = getattr(batch, "status", None)
        self._final: Any = getattr(batch, "final", None)
        self._library = ctypes.CDLL(str(built.library))
        self._rows = self._sight.signatures
        self._number = self._library.calm_number
        self._number_and_pay = self._library.calm_number_and_pay
        self._make_table(4096)

    def pay_with(self, pay: NativeCredit) -> None:
        """Pays for every step from now on; one that was not `paid` is paid by `number` later."""
        self.pay = pay
        self._make_table(self._table.size)

    def on_step(self, actions: Actions, terminated: Bools, truncated: Bools) -> None:
        if self._header is None:
            self._see(actions, terminated, truncated)
        if self.pay is not None and self._header is not None:
            paid = self._header.paid
            self.pay.any = paid > 0
            self.paid = paid >= 0
            if self.paid:
                return  # most steps
        if self.number():
            return
        new: dict[bytes, int] = {}
        for row in np.flatnonzero(self.ids < 0).tolist():
            signature = self._rows[row].tobytes()
            new[signature] = self.ids[row] = self._put_into_words(row, signature)
        if 2 * len(self._by_signature) > self._table.size:
            self._make_table(self._table.size)
        elif new:
            self._table.learn(new)

    def number(self) -> bool:
        """Looks up the events of the last step and pays; returns whether all were known."""
        pay = self.pay
        if pay is None:
            return not self._number(self._table.pointer)
        paid = self._number_and_pay(self._table.pointer, pay.pointer)
        pay.any = paid > 0
        self.paid = paid >= 0
        return self.paid

    def _message_in(self, row: int) -> Array:
        if not self._rows[row, MESSAGE].any():  # the game is lost, see calm_lose_sight
            return np.zeros(256, np.uint8)
        # A row that has ended is a new episode by now.
        if self.in_step and self._status[row]:
            message: Array = self._final[self._message_key][row]
            return message
        return super()._message_in(row)

    def _make_table(self, size: int) -> None:
        """Puts all known signatures into a table of so many places, or more if they are many."""
        while 2 * len(self._by_signature) > size:
            size *= 2
        if self._header is not None:
            _pay_nothing(self._header)  # it has bare pointers to the old table
        self._table = Table(self._library, self._rows, self.ids, size)
        self._table.learn(self._by_signature)
        if self._header is not None and self.pay is not None:
            self._header.table, self._header.pay = self._table.address, self.pay.address


def _pay_nothing(header: Any) -> None:
    """Stops the payment within the step, which those who step the rows make."""
    header.pay = header.table = 0
