"""`calm doctor --store` names subgoals that nothing ever met."""

from pathlib import Path

from agents.cli.health import examine
from calm.loopback import Loopback
from calm.records import Subgoal, Task, Transition
from calm.store.store import Store
from tests.support.loopback_judge import judge_of

TASK = Task("Room-v0", "Go.", (Subgoal("go", "It goes."), Subgoal("fly", "It flies.")))


def test_a_subgoal_that_nothing_ever_met_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    steps = [Transition(TASK.id, {"events": f"step {i}"}, "") for i in range(30)]
    with Loopback({"go": ["step 1"]}) as server, Store(path) as store:
        judge_of(server, store=store).judge(TASK, TASK.subgoals, steps)
    (finding,) = [f for f in examine(None, path) if f.name == "store"]
    assert finding.good
    assert finding.detail == f"{path} opens; never met: “fly” of Room-v0 (30 answers)"
