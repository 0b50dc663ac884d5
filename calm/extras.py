"""Which extra of the package brings a module that is not installed."""

from __future__ import annotations

EXTRAS = {
    "data": ("pyarrow", "scipy", "sklearn"),
    "envs": ("nle", "minihack", "gymnasium", "pkg_resources"),
    "label": ("starlette", "uvicorn"),
    "local": ("xllamacpp",),
    "hub": ("huggingface_hub",),
    "export": ("minari",),
    "ray": ("ray",),
    "slurm": ("submitit",),
    "rnd": ("torchrl", "tensordict"),
    "agents": (
        "torch", "stable_baselines3", "sb3_contrib", "tensorboard", "matplotlib", "jaxtyping",
        "safetensors", "PIL",
    ),
    "film": ("av",),
    "tune": ("optuna",),
}  # fmt: skip
"""By extra, the modules that it brings."""


def advice_on_missing(error: ModuleNotFoundError) -> str | None:
    """Returns what is not installed and how to have it; None for a module of no extra."""
    module = (error.name or "").partition(".")[0]
    for extra, modules in EXTRAS.items():
        if module in modules:
            return (
                f"this needs {module}, which is not installed: it comes with the extra `{extra}`;"
                f" run `pip install -e '.[{extra}]'` in the clone"
            )
    return None
