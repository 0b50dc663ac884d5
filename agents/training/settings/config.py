"""The settings of one training run: one frozen record, saved as YAML in the run's folder."""

from __future__ import annotations

import contextlib
from math import isfinite
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from agents.bonus.make import BONUSES, TUNED_WEIGHTS
from agents.network.names import ENCODERS, READS, Precision
from agents.training.settings.misfits import misfit
from calm.annotation.live import Ask
from calm.asking.form import form_named
from calm.credit import CREDIT_MODES, CreditMode
from calm.errors import UsageError, unknown
from calm.files import write_file
from calm.records import Task, Verdict
from calm.tasks import TaskFile, is_task_file, read_task_file
from envs.tasks import own_task, task_id
from envs.tasks import task as find_task

Memory = Literal["none", "stack", "lstm"]
Augment = Literal["none", "dihedral"]
"""What each pass of an update makes of a rollout."""
LIST = "`calm train --settings` lists all with what they mean"
"""The end of errors about an unknown setting."""
SCHEDULED = "learning_rate", "ent_coef", "weight"
"""Settings that change over training where NAME_end is set."""


class TrainConfig(BaseModel):
    """What to train, on what reward, for how long: all that a run needs to be repeated."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False
    )

    task: str = "MiniHack-KeyRoom-S5-v0"
    """MiniHack id of the task; `KeyRoom-S5` will do. Or a YAML file that describes one."""
    own_task: TaskFile | None = None
    """What that file said, so that the run needs it no more."""
    judge: str = "rules"
    """Whose credit shapes the reward: none, truth (the engine's own), noisy:precision=P,recall=R
    (the truth with errors, see `agents.training.noisy_spec`), rules, local:MODEL, openai:MODEL,
    ..."""
    form: str = ""
    """Form of question and answer in which a model is asked, see `calm.asking.form`; booleans by
    default, and of replay the one that was asked most."""
    thresholds: dict[str, float] = Field(default_factory=dict)
    """How likely a yes must be, by subgoal or `*`, where the answer tells, such as {"*": 0.76}."""
    ask: Ask = "wait"
    """wait: training waits for the judge's answers about what is new, and is the same every time;
    later: it goes on, and an answer counts from when it is there."""
    patience: float = Field(default=900.0, gt=0, allow_inf_nan=True)
    """Seconds without any answer after which training stops, with a checkpoint to resume from."""
    ask_again: tuple[Verdict, ...] = ()
    """Classes of stored answers, such as [invalid, truncated], that the judge is asked about again,
    once each time that training starts."""
    most_pending: int = Field(default=256, ge=0)
    """With `later`: questions without an answer at once; at more, training waits for some."""
    subgoals: str = "given"
    """Subgoals to judge: given, a YAML file of them, or the start of a stored list's hash."""
    shaping: CreditMode = "once"
    """every, once (each subgoal pays at most once an episode, or a share each of the times that it
    is to be done) or potential."""
    weight: float = Field(default=0.3, ge=0)
    """What one subgoal pays; in `potential`, what all of them together do."""
    weight_end: float | None = Field(default=None, ge=0)
    """What that falls or rises to, linearly, by the last step; unchanged by default. At 0 what is
    best in the end is best by the environment's reward alone. Not of `potential`, whose weight
    stays, for only so does it keep what is best."""
    bonus: str = "none"
    """What pays beside reward and credit, see `envs.bonus` and `agents.bonus`: none; novelty (an
    `events` text that is new in its episode), novelty:message, novelty:cell (where the hero
    stands), novelty:crop (the map around him), novelty:relevant (new events that the judge says
    achieve something); rnd (random network distillation, extra `rnd`), e3b."""
    bonus_weight: float = Field(default=0.1, ge=0)
    """What a bonus of 1 pays: a new event of `novelty`, one standard deviation of `rnd` and `e3b`.
    By default the best of those that `calm study rivals-tune` tried: 0.03 of `novelty` and of
    crops, 0.1 of messages, 0.01 of cells, 0.3 of relevant events, 0.003 of rnd and 0.01 of e3b. On
    S15 0.1 of `novelty` was."""
    stall: int = Field(default=0, ge=0)
    """An episode of training is cut, as at the task's limit, with the step so many after the last
    that paid credit or a bonus: an agent that gets nowhere begins another level. 0 for never, and
    never without a judge or a bonus, nor beside rnd and e3b, which pay at every step."""
    penalty: bool = False
    """Keep MiniHack's -0.01 for every step in which no game time passes."""
    descriptions: Literal[1, 2, 3] = 1
    """Version of the `events` text: 1 names the action on the key that answers a question of the
    game, 2 does not, 3 leaves out too what no given subgoal asks about. Fewer texts are left to
    judge by 2 where a task has all 85 actions, by 3 also where monsters are about."""
    encoder: str = "cnn"
    """The mechanism that sees the map."""
    encoder_options: dict[str, Any] = Field(default_factory=dict)
    """Of the mechanism's class, such as {form: softmax}; {channels: 16} lets it see 16 of the 64,
    which is quicker; of semantics {gates: ...}: all, judged, words, seen or none."""
    memory: Memory = "none"
    """none, stack (the last `window` crops) or lstm (over the whole episode, `features_dim` wide,
    shared by policy and value)."""
    values_train_memory: bool = True
    """Let the value's loss train an lstm and what is below it; sb3-contrib's does not."""
    window: int = Field(default=4, ge=1, le=256)
    """Steps that `stack` and the encoder `semantics` look back on, the present one included."""
    keys: tuple[str, ...] = ("glyphs_crop", "inv_glyphs", "blstats")
    """Observation keys that the policy sees; `progress` is added where there is a judge."""
    crop: int = Field(default=9, ge=3, le=157)
    """Side of the square around the hero in `glyphs_crop`; odd. 157 always holds the whole map."""
    seed: int = Field(default=0, ge=0, lt=2**32)
    """Of weights, actions and levels."""
    steps: int = Field(default=300_000, ge=1)
    """Environment steps to train for, rounded up to whole rollouts of n_envs * n_steps."""
    schedule_steps: int | None = Field(default=None, ge=1)
    """Steps at which `learning_rate_end`, `ent_coef_end` and `weight_end` are reached; by default
    the last. A run that is lengthened keeps its own."""
    n_envs: int = Field(default=32, ge=1, le=4096)
    """Environments stepped together."""
    n_steps: int = Field(default=128, ge=2)
    """Steps of each environment in one rollout."""
    minibatches: int = Field(default=4, ge=1)
    """Parts that a rollout is split into for one epoch."""
    n_epochs: int = Field(default=3, ge=1, le=1000)
    """Passes over a rollout."""
    augment: Augment = "none"
    """dihedral: each pass sees the rollout in another of its eight turns and mirror images,
    directions of actions alike, so that more passes (n_epochs=8) teach more; see
    `agents.ppo.dihedral`. Only where all that the policy sees of the map are crops."""
    learning_rate: float = Field(default=5e-4, gt=0, le=1)
    """Adam's step size."""
    learning_rate_end: float | None = Field(default=None, ge=0, le=1)
    """What it falls or rises to, linearly, by the last step; unchanged by default."""
    gamma: float = Field(default=0.99, ge=0, le=1)
    """Discount, of the agent and of `potential`."""
    gae_lambda: float = Field(default=0.95, ge=0, le=1)
    """Lambda of the advantage estimate."""
    ent_coef: float = Field(default=0.01, ge=0)
    """Weight of the entropy bonus."""
    ent_coef_end: float | None = Field(default=None, ge=0)
    """What it falls or rises to, linearly, by the last step; unchanged by default."""
    features_dim: int = Field(default=256, ge=8, le=8192)
    """Width of the features that policy and value share."""
    precision: Precision = "float32"
    """Of the large products of maps, on a CPU. bfloat16 is quicker where the processor has it
    (AVX512-BF16 or AMX), slower elsewhere."""
    eval_every: int = Field(default=40_000, ge=1)
    """Steps between evaluations on held-out levels."""
    eval_episodes: int = Field(default=100, ge=1, le=100_000)
    """Held-out levels played at each evaluation, each once."""
    eval_greedy: bool = False
    """Play them at each evaluation with the likeliest actions too, and not at the last one only."""
    wandb: str | None = None
    """Project of Weights & Biases to log to beside TensorBoard; needs wandb installed."""
    trackio: str | None = None
    """Project of Trackio, likewise; its files stay on this machine."""
    checkpoint_every: int = Field(default=20_000, ge=1)
    """Steps between checkpoints; a run that is killed loses as many, and the rollout it was in."""

    @model_validator(mode="before")
    @classmethod
    def _known_task(cls, values: dict[str, Any]) -> dict[str, Any]:
        name, file = values.get("task"), values.get("own_task")
        if not isinstance(name, str):
            return values
        if is_task_file(name):
            find_task(name)  # says what is wrong with it
            file = read_task_file(Path(name))
            return values | {"task": file.task().id, "own_task": file}
        if file is not None and name == TaskFile.model_validate(file).task().id:
            return values
        return values | {"task": task_id(name), "own_task": None}

    @field_validator("form")
    @classmethod
    def _known_form(cls, name: str) -> str:
        return name and form_named(name).name

    @field_validator("encoder")
    @classmethod
    def _known_encoder(cls, name: str) -> str:
        if name not in ENCODERS:
            raise ValueError(str(unknown("encoder", name, ENCODERS)))
        return name

    @field_validator("keys")
    @classmethod
    def _known_keys(cls, keys: tuple[str, ...]) -> tuple[str, ...]:
        named = [key for key in READS if key != "progress"]
        if not keys:
            raise ValueError(f"a policy must see something: name some of {', '.join(named)}")
        for key in keys:
            if key not in named:
                raise ValueError(str(unknown("observation key", key, named)))
        return keys

    @field_validator("shaping", mode="before")
    @classmethod
    def _known_shaping(cls, mode: str) -> str:
        if mode not in CREDIT_MODES:
            raise ValueError(str(unknown("credit mode", str(mode), CREDIT_MODES)))
        return mode

    @field_validator("weight_end")
    @classmethod
    def _a_potential_stays(cls, end: float | None, info: ValidationInfo) -> float | None:
        return None if info.data.get("shaping") == "potential" else end

    @field_validator("bonus")
    @classmethod
    def _known_bonus(cls, name: str) -> str:
        if name not in BONUSES:
            raise ValueError(str(unknown("bonus", name, BONUSES)))
        return name

    @model_validator(mode="before")
    @classmethod
    def _tuned_bonus_weight(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        bonus = str(values.get("bonus"))
        tuned = {"bonus_weight": TUNED_WEIGHTS[bonus]} if bonus in TUNED_WEIGHTS else {}
        return tuned | values

    @field_validator("weight", "weight_end", "bonus_weight", mode="before")
    @classmethod
    def _numbers(cls, value: Any, info: ValidationInfo) -> Any:
        if isinstance(value, str):
            with contextlib.suppress(ValueError):
                value = float(value)
        default = cls.model_fields[str(info.field_name)].default
        if value is None and default is None:
            return value
        if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
            raise ValueError(f"expected a finite number, such as {default or 0.0}, got {value!r}")
        return value

    @field_validator("crop")
    @classmethod
    def _odd_crop(cls, side: int) -> int:
        if side % 2 == 0:
            raise ValueError(f"the crop has the hero in its middle, so it must be odd, got {side}")
        return side

    @model_validator(mode="after")
    def _settings_that_fit(self) -> Self:
        if fault := misfit(self):
            raise ValueError(fault)
        return self

    @property
    def total_steps(self) -> int:
        """The steps that are trained for: `steps`, rounded up to whole rollouts."""
        rollout = self.n_envs * self.n_steps
        return -(-self.steps // rollout) * rollout

    @property
    def has_schedule(self) -> bool:
        """Whether any setting changes over training."""
        return any(getattr(self, f"{name}_end") is not None for name in SCHEDULED)

    def scheduled(
        self, name: Literal["learning_rate", "ent_coef", "weight"], steps: float
    ) -> float:
        """Returns what a setting is after so many steps, on its line to NAME_end if it has one."""
        start: float = getattr(self, name)
        end: float | None = getattr(self, f"{name}_end")
        if end is None:
            return start
        return start + min(1.0, steps / (self.schedule_steps or self.steps)) * (end - start)

    @property
    def described(self) -> Task:
        """The task in words, with the environment that plays it."""
        return find_task(self.task) if self.own_task is None else own_task(self.own_task)

    @property
    def looks_back(self) -> int:
        """Steps that an observation holds; 0 where it holds the present one alone."""
        return self.window if self.memory == "stack" or self.encoder == "semantics" else 0

    @property
    def batch_size(self) -> int:
        """Transitions in one minibatch."""
        return max(1, self.n_envs * self.n_steps // self.minibatches)

    @property
    def name(self) -> str:
        """A folder's name that tells runs apart at a glance."""
        remembers = "" if self.memory == "none" else f"-{self.memory}"
        short = self.task.removeprefix("MiniHack-").removesuffix("-v0")
        judged = self.judge if self.judge == "none" else f"{self.judge}-{self.shaping}"
        if self.bonus != "none":
            judged += f"-{self.bonus}"
        return f"{short}-{judged}-{self.encoder}{remembers}-seed{self.seed}".replace(
            "/", "_"
        ).replace(":", "_")

    def save(self, path: Path) -> None:
        """Writes all fields as YAML, the defaults included."""
        write_file(path, yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False))


def make_config(values: dict[str, Any], source: str = "the options") -> TrainConfig:
    """Returns a config of plain values.

    Args:
        values: by field.
        source: of the values, for the message.

    Raises:
        UsageError: unknown field, wrong type, or a value out of range.
    """
    try:
        return TrainConfig.model_validate(values)
    except ValidationError as error:
        faults = "; ".join(_fault(e) for e in error.errors())
        raise UsageError(f"{source} can't be used: {faults}") from None


def _fault(error: Any) -> str:
    """Returns one of pydantic's errors in words that name the setting."""
    name = ".".join(map(str, error["loc"])) or "config"
    if error["type"] == "extra_forbidden":
        known = TrainConfig.model_fields
        initials = {"".join(word[0] for word in full.split("_")): full for full in known}
        if name not in initials:
            return f"{unknown('setting', name, known)}; {LIST}"
        return f"unknown setting {name!r}: did you mean {initials[name]!r}? {LIST}"
    if error["type"] == "value_error":  # in words of our own, with the value
        return f"{name}: {error['msg'].removeprefix('Value error, ')}"
    fault = str(error["msg"]).replace("Input should be", "expected", 1)
    return f"{name}: {fault}, got {error['input']!r}"


class Setting(NamedTuple):
    """One field of the settings, as `calm train --settings` lists it."""

    name: str
    default: Any
    """As it stands in YAML."""
    meaning: str


def settings() -> list[Setting]:
    """Returns every setting with its default and its meaning, in the order of the fields."""
    defaults = TrainConfig().model_dump(mode="json")
    return [
        Setting(name, defaults[name], " ".join((field.description or "").split()))
        for name, field in TrainConfig.model_fields.items()
    ]
