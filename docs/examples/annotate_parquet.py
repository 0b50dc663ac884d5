"""Batch annotation of one's own parquet: a column of descriptions in, a column a subgoal out.

    python docs/examples/annotate_parquet.py          # writes and judges a small kitchen.parquet
    python docs/examples/annotate_parquet.py openai:MODEL steps.parquet

Rows that are alike are asked about once; stopped, the same command resumes there.
"""

import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from calm import Store, Subgoal, Task, Transition, make_judge
from calm.annotation.many import annotate

TASK = Task(
    "Kitchen-v0",
    "Serve the soup.",
    (
        Subgoal("take the ladle", "The ladle enters the cook's hand."),
        Subgoal("fill the bowl", "Soup enters the bowl."),
    ),
)
RULES = {"take the ladle": ("ladle .* hand",), "fill the bowl": ("[Ss]oup .* bowl",)}
KITCHEN = {
    "action": ["walk", "take", "walk", "pour"],
    "happened": [
        "The cook came next to the stove.",
        "The ladle is in the cook's hand now.",
        "The cook came next to the stove.",
        "Soup is in the bowl now.",
    ],
}


def main(judge: str = "rules", file: str = "kitchen.parquet") -> pa.Table:
    """Judges every row of a file; returns the table, which is also written beside it."""
    path = Path(file)
    if not path.exists():
        pq.write_table(pa.table(KITCHEN), path)
    table = pq.read_table(path)
    steps = [
        Transition(
            TASK.id, {"events": f"Action: {row['action']}.\n{row['happened']}"}, row["action"]
        )
        for row in table.to_pylist()
    ]
    with Store("answers.sqlite") as store:
        options = {"rules": RULES} if judge == "rules" else {}
        asked = make_judge(judge, store=store, **options)
        judgements, summary = annotate(asked, TASK, TASK.subgoals, steps)
    table = table.append_column("verdict", pa.array([str(j.verdict) for j in judgements]))
    for subgoal in TASK.subgoals:  # null, not false, where an answer can't be read
        column = pa.array([j.achieved.get(subgoal.name) for j in judgements], pa.bool_())
        table = table.append_column(subgoal.name, column)
    out = path.with_name(f"{path.stem}-judged.parquet")
    pq.write_table(table, out)
    print(f"{summary.transitions} rows, {summary.distinct} distinct: {summary.verdicts}; {out}")
    if summary.stopped:
        raise summary.stopped
    return table


if __name__ == "__main__":
    main(*sys.argv[1:3])
