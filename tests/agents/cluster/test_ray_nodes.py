"""A cell that was lost on a node is tried on another, as long as there is one."""

from typing import Any

from agents.cluster.cell import CellNeeds
from agents.cluster.ray_nodes import NODE_ID, selector_without

NEEDS = CellNeeds(cores=2, memory=1.0)


def node(name: str, cores: float = 8, memory: int = 2**31, alive: bool = True) -> dict[str, Any]:
    resources = {"CPU": cores, "memory": memory}
    return {"NodeID": name, "Alive": alive, "Resources": resources}


def test_nodes_on_which_it_was_lost_are_left_out() -> None:
    nodes = [node("a"), node("b"), node("c")]
    assert selector_without((), nodes, NEEDS) == {}
    assert selector_without({"b"}, nodes, NEEDS) == {NODE_ID: "!in(b)"}
    assert selector_without({"b", "a"}, nodes, NEEDS) == {NODE_ID: "!in(a,b)"}


def test_where_no_other_could_ever_train_it_all_are_tried_again() -> None:
    assert selector_without({"a"}, [node("a")], NEEDS) == {}
    assert selector_without({"a", "b"}, [node("a"), node("b")], NEEDS) == {}
    for other in (node("b", cores=1), node("b", memory=2**29), node("b", alive=False)):
        assert selector_without({"a"}, [node("a"), other], NEEDS) == {}
    headless = {"NodeID": "b", "Alive": True, "Resources": {}}
    assert selector_without({"a"}, [node("a"), headless], NEEDS) == {}


def test_dead_nodes_need_not_be_left_out() -> None:
    assert selector_without({"a"}, [node("a", alive=False), node("b"), node("c")], NEEDS) == {}
