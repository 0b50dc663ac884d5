"""Says, by exact solution, what each form of credit makes best, and what a potential teaches.

A hero stands at 0 of a corridor. The stairs, one cell past `stairs - 1`, end the episode and pay 1.
Two cells are subgoals: the next one on the way, and one `detour` cells behind, which is of no use.

python docs/examples/credit_optimum.py
"""

import itertools

import numpy as np

from calm.credit import Credit, CreditMode

GAMMA, WEIGHT, STAIRS = 0.99, 0.3, 20
BACK, AHEAD = 0, 1
Model = tuple[np.ndarray, np.ndarray, np.ndarray]


def corridor(detour: int, mode: CreditMode | None, weight: float = WEIGHT) -> Model:
    """Returns the next state (S, 2), the reward (S, 2) and whether it ends (S, 2) of each action.

    A state is the cell, from -detour to STAIRS - 1, and which of the two subgoals are achieved.
    """
    cells = range(-detour, STAIRS)
    states = list(itertools.product(cells, (False, True), (False, True)))
    index = {state: i for i, state in enumerate(states)}
    following, rewards = np.zeros((len(states), 2), int), np.zeros((len(states), 2))
    ends = np.zeros((len(states), 2), bool)
    for (cell, on_the_way, behind), i in index.items():
        for action in (BACK, AHEAD):
            place = max(-detour, cell + (1 if action == AHEAD else -1))
            arrived = np.array([[place == 1, place == -detour]]) & (place != cell)
            ended = np.array([place == STAIRS])
            ends[i, action], rewards[i, action] = ended[0], float(ended[0])
            if mode is not None:
                credit = Credit(1, 2, mode, GAMMA)
                credit.progress = np.array([[on_the_way, behind]])
                paid = credit.step(arrived.astype(np.int8), ended, np.array([False]))
                # In `potential` the weight is that of both together, as in the study.
                rewards[i, action] += weight * (2 if mode == "potential" else 1) * float(paid[0])
            after = (on_the_way or bool(arrived[0, 0]), behind or bool(arrived[0, 1]))
            following[i, action] = i if ended[0] else index[(place, *after)]
    return following, rewards, ends


def values(model: Model, policy: np.ndarray | None = None) -> np.ndarray:
    """Returns the action values (S, 2) of a policy (S, 2), or of the best one, to 1e-12."""
    following, rewards, ends = model
    q = np.zeros(rewards.shape)
    while True:
        v = q.max(1) if policy is None else (policy * q).sum(1)
        new = rewards + GAMMA * np.where(ends, 0.0, v[following])
        if np.abs(new - q).max() < 1e-12:
            return new
        q = new


def steps_to_stairs(detour: int, mode: CreditMode | None, weight: float = WEIGHT) -> int | None:
    """Returns the steps in which the best policy is at the stairs; None where it never is."""
    model = corridor(detour, mode, weight)
    following, _, ends = model
    best = values(model).argmax(1)
    state = detour * 4  # cell 0, nothing achieved
    for step in range(1, 10 * (STAIRS + detour)):
        if ends[state, best[state]]:
            return step
        state = following[state, best[state]]
    return None


def advantage_changed_by(mode: CreditMode, detour: int = 5) -> float:
    """Returns the most that credit changes an advantage by, of the policy that tosses a coin."""
    coin = np.full((4 * (STAIRS + detour), 2), 0.5)
    with_it, without = (values(corridor(detour, m), coin) for m in (mode, None))
    with_it, without = (q - q.mean(1, keepdims=True) for q in (with_it, without))
    return float(np.abs(with_it - without).max())


def main() -> None:
    """Prints, by detour and form of credit, in how many steps the best policy finishes."""
    print(f"steps to the stairs, {STAIRS} away; a subgoal pays {WEIGHT}, gamma {GAMMA}")
    print("detour        none  potential  once  once, weight 0.05  every")
    for detour in (1, 5, 10, 20, 40):
        best = [steps_to_stairs(detour, mode) for mode in (None, "potential", "once")]
        best += [steps_to_stairs(detour, "once", 0.05), steps_to_stairs(detour, "every")]
        print(
            f"{detour:>2} cells      "
            + "  ".join("never" if n is None else f"{n:>5}" for n in best)
        )
    for mode in ("potential", "once"):
        print(f"{mode}: changes advantages by at most {advantage_changed_by(mode):.2g}")


if __name__ == "__main__":
    main()
