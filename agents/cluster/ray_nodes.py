"""Which nodes of a Ray cluster a cell may be trained on, after it was lost on some.

A node with a full disk, or one that came later with other versions, loses each cell within seconds
and so is always free for the next: left alone it would use up the attempts of all cells.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from agents.cluster.cell import CellNeeds

NODE_ID = "ray.io/node-id"
"""The label that Ray gives each node."""


def selector_without(
    avoided: Collection[str], nodes: Sequence[Mapping[str, Any]], needs: CellNeeds
) -> dict[str, str]:
    """Returns the selector of a task's nodes by label: none of some, as long as others have room.

    Args:
        avoided: ids of the nodes on which the cell was lost.
        nodes: of the cluster, as `ray.nodes` describes them.
        needs: of the cell; nodes that never have it don't count.
    """
    fit = {str(node["NodeID"]) for node in nodes if node["Alive"] and _fits(node, needs)}
    listed = sorted(fit & set(avoided))
    return {NODE_ID: f"!in({','.join(listed)})"} if listed and fit - set(listed) else {}


def _fits(node: Mapping[str, Any], needs: CellNeeds) -> bool:
    """Returns whether a node has what a cell needs when nothing else runs there."""
    has = node["Resources"]
    return bool(
        has.get("CPU", 0) >= needs.cores and has.get("memory", 0) >= int(needs.memory * 2**30)
    )
