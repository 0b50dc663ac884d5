"""Compares the native path with the plain one before it is trusted.

The layout of nle's structures is not part of its Python interface, so another build of it could
differ. Each pair of stepper and libnethack.so is compared once on this machine, in a worker process
(a wrong layout may crash it), and the result is kept beside the compiled stepper.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path

import numpy as np
from nle import nethack

from calm.errors import CalmError
from envs.game.crops import PADDING
from envs.game.engine import ROW_KEYS
from envs.native.build import Built
from envs.stepping.backend import Backend

log = logging.getLogger(__name__)

TASK = "MiniHack-KeyRoom-S5-v0"
"""The task that both paths play."""
ENVS, STEPS, EPISODE = 2, 80, 8
"""Environments, steps of each, and steps after which they are reset."""
KEYS = (*ROW_KEYS, *(f"{key}_crop" for key in PADDING))
"""The observation keys that are compared: all."""
CROP = 9
"""The size of the crops."""


MakeBoth = Callable[[Built], tuple[Backend, Backend]]
"""Makes the native and the plain backend of `TASK` with `ENVS` games."""


@cache
def trusted(stepper: Built, make_both: MakeBoth) -> bool:
    """Compares both paths once; returns whether they are equal, with a line in the log if not."""
    library = Path(nethack.nethack.DLPATH)
    known = hashlib.sha256(library.read_bytes()).hexdigest()[:16]
    mark = stepper.folder / f"same-{known}"
    if mark.exists():
        return True
    try:
        native, plain = make_both(stepper)
        try:
            differs = _difference(native, plain)
        finally:
            native.close()
            plain.close()
    except (CalmError, OSError) as error:
        differs = str(error)
    if differs:
        log.warning("environments take the plain path, which is slower: %s", differs)
        return False
    with suppress(OSError):  # then it is compared again next time
        mark.touch()
    return True


def _difference(native: Backend, plain: Backend) -> str:
    """Returns what differs between the two paths over some steps; "" if nothing does."""
    rng = np.random.default_rng(0)
    for step in range(STEPS):
        if step % EPISODE == 0:
            for backend in (native, plain):
                backend.reset(np.arange(ENVS), [step, step + 1])
        actions = rng.integers(len(plain.rules.presses), size=ENVS)
        for backend in (native, plain):
            backend.step(actions, reset=False)
        for key in KEYS:
            if not np.array_equal(native.arrays[key], plain.arrays[key]):
                return f"the native path gives another {key!r} in step {step}"
        if not np.array_equal(native.reward, plain.reward):
            return f"the native path gives another reward in step {step}"
    return ""
