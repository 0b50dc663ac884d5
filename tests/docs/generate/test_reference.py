"""What is generated is all that the code has, and says what the code says."""

from agents.training.settings.config import TrainConfig
from calm.asking.prompt import JudgePrompt
from calm.records import Verdict
from calm.store.store import Store
from docs.generate import reference
from docs.generate.transition import model_answer, one_transition, shown_row
from envs.tasks.described import TASKS


def test_every_setting_is_there_with_its_default() -> None:
    rows = reference.training_settings().splitlines()[2:]
    assert len(rows) == len(TrainConfig.model_fields)
    assert any(row.startswith("| `weight` | `0.3` | What one subgoal pays") for row in rows)


def test_every_exit_code_and_class_is_there() -> None:
    codes = [line.split("|")[1].strip() for line in reference.exit_codes().splitlines()[2:]]
    assert codes == ["0", "1", "2", "3", "4", "5", "6", "7", "130", "143"]
    text = reference.verdicts()
    assert all(f"| `{verdict}` |" in text for verdict in Verdict)


def test_the_schema_is_that_of_a_new_store() -> None:
    text = reference.store_schema()
    with Store() as store:
        assert text.startswith(f"Version {store.database.schema} ")
    assert "### calls" in text
    assert "message TEXT NOT NULL DEFAULT ''" in text  # of the second migration


def test_prompts_are_those_that_are_sent() -> None:
    task = TASKS["MiniHack-KeyRoom-S5-v0"]
    text = shown_row().transition.texts["events"]
    assert JudgePrompt(task, task.subgoals).render([text]) in reference.prompts()


def test_the_first_page_shows_a_step_with_its_question_and_its_answers() -> None:
    row = shown_row()
    text = one_transition()
    assert row.transition.texts["events"] in text
    assert text.count('<pre class="map">') == 2
    assert text.count("| **yes** | **yes** |") == 1  # the door, and nothing else
    answer = model_answer()
    if answer is not None:  # what a model was asked may change before it is asked anew
        assert answer.judgement.confidence is not None
        odds = answer.judgement.confidence["open the locked door"]
        assert f"| open the locked door | {odds:.2f} | **yes** | **yes** |" in text
