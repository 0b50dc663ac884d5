"""Packs what a player sees change in a step into a short row of numbers, for a whole batch.

`Sight` follows a batch and packs every step into a signature of `WIDTH` bytes, all environments at
once. Equal signatures are equal events, so only signatures that are new have to be put into words
(`envs.events.stream`). It reads what is on the player's screen: map, bottom lines, message and
inventory, and whether the game asks a question.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from nle import nethack

from envs.events.signature import (
    ACTION,
    ARMOR,
    ASKED,
    BURDEN,
    CROSSED,
    DEPTH,
    ENDED,
    ENTERED,
    EXPERIENCE,
    FLAGS,
    GAINED,
    GOLD,
    GROUND_NOW,
    HP,
    HUNGER,
    LAVA_FILLED,
    LEFT,
    LEVEL,
    MESSAGE,
    MOVED,
    ON_FOUNTAIN,
    OPENED,
    PUSHED,
    QUESTION,
    WATER_FILLED,
    WIDTH,
    WITH_KEY,
    drop_what_follows,
    set_end,
)
from envs.events.tables import (
    CHANGE_OF_LEVELS,
    IN_HAND,
    LEVEL_OF_DISTANCE,
    MESSAGE_MULTIPLIERS,
    STATUS_COLUMNS,
)
from envs.game import messages
from envs.game.glyphs import (
    CARRIED,
    CARRIED_KEY,
    CARRIED_OF_GLYPH,
    CELLS,
    COLUMNS,
    CORRIDORS,
    FOUNTAIN,
    GROUND,
    GROUND_OF_GLYPH,
    LIES_AS,
    PASSABLE_OF_GLYPH,
    PORTABLE,
    ROOM_FLOORS,
    SOLID_OF_GLYPH,
    STONE,
    THING,
    THING_OF_GLYPH,
    THINGS,
)
from envs.observer import Actions, Arrays, Bools, Rows

Array = npt.NDArray[Any]

_FOUR = np.arange(4)

_CLOSED, _OPEN, _BOULDER = THING["closed door"], THING["open door"], THING["boulder"]
_WATER, _LAVA, _KEY = THING["water"], THING["lava"], THING["key"]
_MONSTER = THING["monster"]
_FILLS = (
    (_CLOSED, PASSABLE_OF_GLYPH, OPENED),
    (_WATER, SOLID_OF_GLYPH, WATER_FILLED),
    (_LAVA, SOLID_OF_GLYPH, LAVA_FILLED),
)
"""The kind that was there, glyphs of which one must be there now, and the flag to set then."""

KINDS_OF_THINGS = len(THINGS)


class Seeing(Protocol):
    """An observer that packs every step into signatures, as `Sight` does."""

    signatures: npt.NDArray[np.uint8]
    """(B, WIDTH) of the last step."""
    questions: npt.NDArray[np.uint8]
    """(B, 256) what the game asked before the last step, in rows where ASKED is set."""

    def on_reset(self, rows: Rows) -> None: ...

    def on_step(self, actions: Actions, terminated: Bools, truncated: Bools) -> None: ...


class Sight:
    """Follows a batch of games and packs what each step changed into signatures.

    Args:
        batch: its `arrays` hold the keys below, (B, ...).
        action_kinds: by action index, the number of the action's kind (uint8).
    """

    keys: tuple[str, ...] = ("glyphs", "blstats", "message", "inv_glyphs", "internal")

    def __init__(self, batch: Arrays, action_kinds: npt.NDArray[np.uint8]) -> None:
        self._arrays = batch.arrays
        self._message_key = messages.key_of(batch.arrays)
        n = len(batch.arrays["blstats"])
        self._action_kinds = action_kinds
        self.signatures: npt.NDArray[np.uint8] = np.zeros((n, WIDTH), np.uint8)
        """(B, WIDTH) of the last step."""
        self.questions: npt.NDArray[np.uint8] = np.zeros((n, 256), np.uint8)
        """(B, 256) what the game asked before the last step, in rows where ASKED is set."""
        # The state before the step.
        self._glyphs: npt.NDArray[np.int16] = np.full((n, CELLS), STONE, np.int16)
        self._things: npt.NDArray[np.uint8] = np.zeros((n, CELLS), np.uint8)
        self._covered: npt.NDArray[np.uint8] = np.zeros((n, CELLS), np.uint8)
        self._bed: npt.NDArray[np.uint8] = np.zeros((n, CELLS), np.uint8)  # ever water or lava
        self._dry: npt.NDArray[np.int64] = np.zeros(n, np.int64)  # last cell stood on beside it
        self._levels: npt.NDArray[np.uint8] = np.zeros((n, KINDS_OF_THINGS), np.uint8)
        self._x: npt.NDArray[np.int64] = np.zeros(n, np.int64)
        self._y: npt.NDArray[np.int64] = np.zeros(n, np.int64)
        self._hero: npt.NDArray[np.intp] = np.zeros(n, np.intp)
        self._under: npt.NDArray[np.uint8] = np.zeros(n, np.uint8)
        self._ground: npt.NDArray[np.uint8] = np.zeros(n, np.uint8)
        self._inventory: npt.NDArray[np.int16] = np.zeros((n, 55), np.int16)
        self._status: npt.NDArray[np.int64] = np.zeros((n, len(STATUS_COLUMNS)), np.int64)
        self._with_key: npt.NDArray[np.bool_] = np.zeros(n, np.bool_)
        self._asks: npt.NDArray[np.bool_] = np.zeros(n, np.bool_)
        self._pending = self.questions
        self._question_hash: npt.NDArray[np.uint64] = np.zeros(n, np.uint64)
        # Constants of this size.
        self._row_starts = np.arange(n, dtype=np.intp) * CELLS
        self._envs = np.arange(n, dtype=np.intp)
        self._message = self.signatures[:, MESSAGE].view(np.uint64)[:, 0]
        self._question = self.signatures[:, QUESTION].view(np.uint64)[:, 0]
        self._again: list[int] = []
        self._note(np.zeros(0, np.intp))

    def on_reset(self, rows: Rows) -> None:
        """Forgets the episodes of these rows; the arrays hold their first observation."""
        arrays = self._arrays
        glyphs = arrays["glyphs"][rows].reshape(len(rows), CELLS)
        self._glyphs[rows] = glyphs
        x, y = arrays["blstats"][rows, :2].T
        self._x[rows], self._y[rows] = x, y
        self._hero[rows] = y * COLUMNS + x
        self._things[rows] = THING_OF_GLYPH[glyphs]
        self._things[rows, self._hero[rows]] = 0
        self._bed[rows] = (self._things[rows] == _WATER) | (self._things[rows] == _LAVA)
        self._dry[rows] = self._hero[rows]
        self._note(np.flatnonzero(self._things.reshape(-1) != 0))
        self._under[rows] = 0
        self._covered[rows] = 0
        # The hero hides what it stands on: take the ground next to it.
        around = np.stack(
            [
                glyphs[np.arange(len(rows)), np.clip(self._hero[rows] + d, 0, CELLS - 1)]
                for d in (-80, -79, -78, -1, 1, 78, 79, 80)
            ]
        )
        corridor = np.isin(around, CORRIDORS).any(0) & ~np.isin(around, ROOM_FLOORS).any(0)
        self._ground[rows] = np.where(corridor, GROUND["corridor"], GROUND["room"])
        self._inventory[rows] = arrays["inv_glyphs"][rows]
        self._with_key[rows] = (CARRIED_OF_GLYPH[arrays["inv_glyphs"][rows]] == CARRIED_KEY).any(1)
        self._status[rows] = arrays["blstats"][rows][:, STATUS_COLUMNS]
        self._levels[rows] = self._look()[rows]
        self._listen()

    def on_step(self, actions: Actions, terminated: Bools, truncated: Bools) -> None:
        """Fills `signatures` with what this step changed; the arrays hold s' for all rows."""
        arrays, out = self._arrays, self.signatures
        out[:] = 0
        self.questions = self._pending
        blstats = arrays["blstats"]
        self._again.clear()
        self._x = blstats[:, nethack.NLE_BL_X].copy()
        self._y = blstats[:, nethack.NLE_BL_Y].copy()
        hero = self._y * COLUMNS + self._x
        moved = hero != self._hero
        out[:, ACTION] = self._action_kinds[actions]
        flags = out[:, FLAGS]
        np.multiply(moved, MOVED, out=flags, casting="unsafe")
        if self._asks.any():
            flags[self._asks] |= ASKED
            self._question[self._asks] = self._question_hash[self._asks]

        # The ground under the hero: what the map showed there before the step.
        glyphs = self._glyphs[self._envs, hero]
        under = THING_OF_GLYPH[glyphs]
        hidden = (under == _BOULDER) | (under == _MONSTER)
        hidden &= moved
        if hidden.any():
            pushed = np.flatnonzero(moved & (under == _BOULDER))
            flags[pushed] |= PUSHED
            for row in pushed.tolist():
                out[row, ON_FOUNTAIN] = self._onto_fountain(row, int(hero[row]))
            self._again += pushed.tolist()
            under = np.where(hidden, self._covered[self._envs, hero], under)
        self._under = np.where(moved, under, self._under)
        ground = GROUND_OF_GLYPH[glyphs]
        stepped = moved & (ground != 0)
        stepped &= ground != self._ground
        if stepped.any():
            self._ground = np.where(stepped, ground, self._ground)
            np.multiply(ground, stepped, out=out[:, GROUND_NOW])
        # Crossed: on the straight line from the ground that was left lies the bed.
        off = moved & (self._bed[self._envs, hero] == 0)
        for row in np.flatnonzero(off & (self._bed[self._envs, self._hero] != 0)).tolist():
            if _over_bed(self._bed[row], int(self._dry[row]), int(hero[row])):
                flags[row] |= CROSSED
        self._dry = np.where(off, hero, self._dry)
        self._hero = hero

        self._changed_cells(flags)
        self._changed_inventory()
        self._changed_status()
        flags |= self._with_key * np.uint8(WITH_KEY)

        levels = self._look()
        change = self._levels << 3
        change |= levels
        out[:, : len(THINGS)] = CHANGE_OF_LEVELS[change]
        self._levels = levels
        self._message[:] = self._listen()

        for row in set(self._again):
            drop_what_follows(out[row], self._levels[row])
        for row in np.flatnonzero(terminated | truncated).tolist():
            alive = blstats[row, nethack.NLE_BL_HP] > 0
            set_end(out[row], bool(terminated[row]), bool(alive), int(self._under[row]))

    def _onto_fountain(self, row: int, hero: int) -> bool:
        """Returns whether a step to cell `hero` pushed a boulder from there onto a fountain."""
        dy, dx = (
            hero // COLUMNS - self._hero[row] // COLUMNS,
            hero % COLUMNS - self._hero[row] % COLUMNS,
        )
        ahead = hero + dy * COLUMNS + dx
        if max(abs(dy), abs(dx)) > 1 or not 0 <= ahead < CELLS:
            return False
        now = self._arrays["glyphs"][row].reshape(-1)[ahead]
        return bool(self._glyphs[row, ahead] == FOUNTAIN and THING_OF_GLYPH[now] == _BOULDER)

    def _look(self) -> npt.NDArray[np.uint8]:
        """Returns the level of the nearest thing of each kind, (B, kinds)."""
        n = len(self._hero)
        flat = np.zeros(n * KINDS_OF_THINGS, np.uint8)
        env, y, x, kind, place = self._noted
        distance = np.maximum(np.abs(y - self._y[env]), np.abs(x - self._x[env]))
        np.maximum.at(flat, place, LEVEL_OF_DISTANCE[kind, distance])
        levels = flat.reshape(n, KINDS_OF_THINGS)
        if self._under.any():
            on = np.flatnonzero(self._under)
            under = self._under[on]
            levels[on, under] = LEVEL_OF_DISTANCE[under, 0]
        levels[self._with_key, _KEY] = IN_HAND
        return levels

    def _note(self, at: npt.NDArray[np.intp]) -> None:
        """Remembers where the notable things of all maps are, as indices (N,) into (B * CELLS,)."""
        self._at = at
        env, cell = np.divmod(at, CELLS)
        kind = self._things.reshape(-1)[at].astype(np.intp)
        self._noted = (env, *np.divmod(cell, COLUMNS), kind, env * KINDS_OF_THINGS + kind)

    def _changed_cells(self, flags: npt.NDArray[np.uint8]) -> None:
        """Brings the remembered map up to date and marks what opened or filled in `flags`."""
        now = self._arrays["glyphs"].reshape(-1)
        before = self._glyphs.reshape(-1)
        things = self._things.reshape(-1)
        if now.size % 4 == 0:  # four cells at a time: two thirds of the time goes here
            words = np.flatnonzero(now.view(np.uint64) != before.view(np.uint64))
            at = (words[:, None] * 4 + _FOUR).reshape(-1)
            at = at[now[at] != before[at]]
        else:
            at = np.flatnonzero(now != before)
        if not at.size:
            return
        new = now[at]
        old_things = things[at]
        before[at] = new
        things[at] = THING_OF_GLYPH[new]
        things[self._row_starts + self._hero] = 0  # the hero is no monster
        new_things = things[at]
        if not (old_things | new_things).any():
            return
        self._bed.reshape(-1)[at[(new_things == _WATER) | (new_things == _LAVA)]] = 1
        covers = (new_things == _MONSTER) | (new_things == _BOULDER)
        covers &= (old_things != _MONSTER) & (old_things != _BOULDER)
        self._covered.reshape(-1)[at[covers]] = old_things[covers]  # what lies beneath
        known = self._at[things[self._at] != 0]
        fresh = at[(old_things == 0) & (new_things != 0)]
        self._note(np.concatenate((known, fresh)))
        for kind, passable, bit in _FILLS:
            here = old_things == kind
            if here.any():
                rows = at[here & passable[new]] // CELLS
                flags[rows] |= bit
                self._again += rows.tolist()

    def _changed_inventory(self) -> None:
        """Brings the remembered inventory up to date and marks what entered and left."""
        now = self._arrays["inv_glyphs"]
        differs = now != self._inventory
        if not differs.any():
            return
        for row in np.flatnonzero(differs.any(1)).tolist():
            before = np.bincount(CARRIED_OF_GLYPH[self._inventory[row]], minlength=len(CARRIED))
            after = np.bincount(CARRIED_OF_GLYPH[now[row]], minlength=len(CARRIED))
            self._inventory[row] = now[row]
            self._with_key[row] = after[CARRIED_KEY] > 0
            change = after - before
            change[0] = 0  # empty places
            entered, left = np.flatnonzero(change > 0), np.flatnonzero(change < 0)
            self.signatures[row, ENTERED] = _bits(entered)
            self.signatures[row, LEFT] = _bits(left)
            self._again.append(row)
            self._covered[row, self._hero[row]] = 0
            if entered.size and self._under[row] and THINGS[self._under[row]] in PORTABLE:
                self._under[row] = 0
            elif left.size:
                self._under[row] = LIES_AS[left[0]]

    def _changed_status(self) -> None:
        """Brings the remembered status up to date and marks what rose, fell, began and ended."""
        now = self._arrays["blstats"][:, STATUS_COLUMNS]
        differs = now != self._status
        if not differs.any():
            return
        out = self.signatures
        for row in np.flatnonzero(differs.any(1)).tolist():
            hp, gold, _, _, level, armor, depth, experience, _ = (
                now[row] - self._status[row]
            ).tolist()
            _, _, hunger, burden, *_, gained = now[row].tolist()
            _, _, old_hunger, old_burden, *_, had = self._status[row].tolist()
            # One point more is the body healing by itself, whatever the hero does.
            out[row, HP] = 1 if hp < 0 else 2 if hp > 1 else 0
            for column, change in (
                (GOLD, gold),
                (LEVEL, level),
                (ARMOR, armor),
                (DEPTH, depth),
                (EXPERIENCE, experience),
            ):
                out[row, column] = 1 if change < 0 else 2 if change > 0 else 0
            out[row, HUNGER] = hunger + 1 if hunger != old_hunger else 0
            out[row, BURDEN] = burden + 1 if burden != old_burden else 0
            begun, over = gained & ~had, had & ~gained
            out[row, GAINED] = (begun & 255, begun >> 8 & 255)
            out[row, ENDED] = (over & 255, over >> 8 & 255)
        self._status = now

    def _listen(self) -> npt.NDArray[np.uint64]:
        """Remembers whether the game asks something; returns hashes of all messages, (B,)."""
        self._asks = self._arrays["internal"][:, 1] != 0
        if self._asks.any():
            self._pending = self._arrays["message"].copy()
            self._question_hash = _hashes(self._pending)
        return _hashes(self._arrays[self._message_key])


def _hashes(texts: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint64]:
    """Returns a number for each text (B, 8 n) of at most 512 bytes, equal for equal ones."""
    words = texts.view(np.uint64)
    numbers: npt.NDArray[np.uint64] = words @ MESSAGE_MULTIPLIERS[: words.shape[1]]
    return numbers


def _bits(kinds: npt.NDArray[np.intp]) -> tuple[int, int]:
    """Returns a set of kinds of `CARRIED` as two bytes."""
    mask = int(np.bitwise_or.reduce(1 << kinds, initial=0))
    return mask & 255, mask >> 8


def _over_bed(bed: npt.NDArray[np.uint8], start: int, end: int) -> bool:
    """Returns whether the straight line between two cells leads over the bed (CELLS,)."""
    (y, x), (i, j) = divmod(start, COLUMNS), divmod(end, COLUMNS)
    dy, dx = i - y, j - x
    steps = max(abs(dy), abs(dx))
    for n in range(1, steps):
        down, right = ((2 * abs(d) * n + steps) // (2 * steps) for d in (dy, dx))
        if bed[(y + (down if dy > 0 else -down)) * COLUMNS + x + (right if dx > 0 else -right)]:
            return True
    return False
