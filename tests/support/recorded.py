"""Recorded episodes made by hand: a corridor of five cells, walked from left to right."""

from agents.inspection.recording import Recording, Step

NASTY = "[bold]</script><img src=x onerror=alert(1)>"
"""What would be markup, were it not text."""


def frame(x: int, message: str = "") -> tuple[str, str]:
    """A terminal with the hero at column x of a corridor in row 3; white on the floor's grey."""
    lines, colours = [" " * 80 for _ in range(24)], ["0" * 80 for _ in range(24)]
    lines[0] = message.ljust(80)
    lines[3] = ("   " + "".join("@" if i == x else "." for i in range(5))).ljust(80)
    colours[3] = ("777" + "".join("f" if i == x else "8" for i in range(5))).ljust(80, "0")
    lines[23] = "Dlvl:1 HP:12(12)".ljust(80)
    return "\n".join(lines), "\n".join(colours)


def step(episode: int, n: int, **changed: object) -> Step:
    chars, colours = frame(n, f"message {n}")
    values: dict[str, object] = {
        "episode": episode, "step": n, "level_seed": 70 + episode, "chars": chars,
        "colours": colours, "action": "move east" if n else "", "event": f"event {n}" if n else "",
        "achieved": [], "unanswered": False, "r_env": 0.0, "credit": 0.0, "value": float(n),
        "end": "",
    }  # fmt: skip
    return Step(**(values | changed))  # type: ignore[arg-type]


def recording() -> Recording:
    first = [
        step(0, 0),
        step(0, 1, achieved=["go east"], credit=1.0),
        step(0, 2, unanswered=True),
        step(0, 3, achieved=["go east", NASTY], credit=2.0, r_env=1.0, value=0.0, end="reached it"),
    ]
    second = [step(1, 0), step(1, 1, end="time ran out", r_env=-0.25)]
    return Recording("Corridor", "rules", 0.5, 1234, ["go east", NASTY, "rest"], [first, second])
