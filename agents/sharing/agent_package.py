"""Makes a package of a run's agent: settings, weights, subgoals, the judge's answers, the card.

What a run's folder holds beside (optimiser, random state, TensorBoard, recorded episodes, the
judge's own words) stays at home.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

from agents.inspection.load import trained
from agents.training.environment import subgoals_of_run
from agents.training.run.folder import Run
from agents.training.run.policy_file import FILE as POLICY
from agents.training.run.policy_file import read_policy, write_policy
from calm.errors import UsageError
from calm.files import write_file, write_folder
from calm.hub.package import CARD, Package, describe_folder
from data.sharing.card import TAGS, UNKNOWN, card, markdown_table

_COPIED = ("config.yaml", "provenance.json", "judged.json", "metrics.parquet")
_FIGURES = (
    ("success", "held-out levels finished, actions drawn from the policy"),
    ("success_greedy", "the same with the likeliest actions"),
    ("episodes", "levels played"),
    ("test_return_env", "mean return on the environment's reward"),
    ("test_length", "mean steps of an episode"),
)


def write_agent_package(
    run: Run, folder: Path, name: str = "", licence: str = "", *, half: bool = False
) -> Package:
    """Writes the package of a run's agent into a new folder.

    Args:
        name: of the agent; the run's own by default.
        licence: the hub's id of it; "" where nobody has told.
        half: store weights with 16 bits.

    Raises:
        UsageError: the run has no weights, or the folder is there already.
    """
    if folder.exists():
        raise UsageError(f"{folder} is there already; name a new folder")
    config = run.config
    weights, steps = run.load_policy()
    subgoals = subgoals_of_run(run)
    name = name or config.name
    rows = run.metrics()
    last = rows[-1] if rows else {}
    about: dict[str, Any] = {
        "task": config.task,
        "judge": config.judge,
        "encoder": config.encoder,
        "memory": config.memory,
        "steps": steps,
        "seed": config.seed,
        "commit": run.started_with.get("commit", UNKNOWN),
    } | {key: last[key] for key, _ in _FIGURES if last.get(key) is not None}

    def fill(partial: Path) -> None:
        for file in _COPIED:
            if (run.folder / file).is_file():
                shutil.copyfile(run.folder / file, partial / file)
        write_policy(partial / POLICY, weights, steps, half=half)
        if subgoals:
            text = json.dumps([asdict(one) for one in subgoals], indent=1)
            write_file(partial / "subgoals.json", text)
        write_file(partial / CARD, _card(run, name, licence, about, half))
        describe_folder(partial, "agent", name, about)

    write_folder(folder, fill)
    from calm.hub.package import FILE, read_description

    return read_description((folder / FILE).read_text("utf-8"), str(folder))


def check_agent(folder: Path) -> None:
    """Builds the agent in a folder with its weights, and closes it again.

    Raises:
        UsageError: one of its files can't be read, or they don't fit; or a subgoal is only named.
    """
    run = Run.open(folder)
    config = run.config
    read_policy(run.policy_path)
    run.metrics(), run.judged(), run.started_with  # what a report reads of it
    if config.subgoals != "given" and run.subgoals() is None:
        raise UsageError(f"{folder} names subgoals ({config.subgoals}) that are not in it")
    with trained(run, 1, config.seed):
        pass


def _card(run: Run, name: str, licence: str, about: dict[str, Any], half: bool) -> str:
    config, made = run.config, run.started_with
    header = {
        "license": licence or UNKNOWN,
        "library_name": "calm-credit",
        "pipeline_tag": "reinforcement-learning",
        "tags": [*TAGS, config.task],
    }
    figures = [(meaning, about[key]) for key, meaning in _FIGURES if key in about]
    paid = (
        "the environment's reward alone"
        if config.judge == "none"
        else f"the environment's reward and credit ({config.shaping}, weight {config.weight}) by"
        f" the judge {config.judge}"
    )
    remembers = "" if config.memory == "none" else f" and the memory {config.memory}"
    bonus = "" if config.bonus == "none" else f", and the bonus {config.bonus}"
    return card(
        header,
        (
            f"# {name}",
            f"A PPO agent with the encoder {config.encoder}{remembers} for {config.task}, trained"
            f" for {about['steps']:,} steps on {paid}{bonus}; seed {config.seed}.",
            "Numbers are stored with 16 bits." if half else "",
            "```python\nfrom agents import load_agent  # in a clone of CALM\n\n"
            f'print(load_agent("{name}").success(20))  # its folder, or a packaged one\n```',
            "`calm replay FOLDER` shows it play"
            + (", `calm explain FOLDER` where it looks." if config.memory != "lstm" else "."),
            "## Measured at the end of training",
            markdown_table(("what", "value"), figures) if figures else "Nothing was measured.",
            "## Made with",
            markdown_table(("what", "which"), made.items()),
            "## In it",
            "Settings (`config.yaml`), the policy's weights (`policy.safetensors`), subgoals, the"
            " judge's answers by text (`judged.json`), which the agent's `progress` is told of when"
            " it plays, and the curves (`metrics.parquet`). Not in it: optimiser, random state,"
            " TensorBoard's files, recorded episodes, the judge's own words. It can play and not be"
            " trained on.",
        ),
    )
