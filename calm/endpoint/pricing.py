"""What tokens cost: a price file that the user edits; an unknown price is unknown, not zero.

The file is YAML, US dollars per million tokens, by model name or pattern (`*` matches anything):

    gpt-5-mini: {input: 0.25, cached: 0.025, output: 2.00, batch: 0.5}
    "local/*": {input: 0, output: 0}

`cached` (input that the endpoint read from its cache) defaults to `input`; `batch` is the factor
for the Batch API and defaults to 1. No prices are shipped: they change, and a wrong one is worse
than none. Looked for in `--prices FILE`, `$CALM_PRICES`, `prices.yaml` here, and
`~/.config/calm/prices.yaml`.
"""

from __future__ import annotations

import fnmatch
import os
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from calm.errors import UsageError
from calm.records import Usage
from calm.yaml_files import read_yaml


class Price(BaseModel):
    """US dollars per million tokens of one model."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    input: float = Field(ge=0)
    output: float = Field(ge=0)
    cached: float | None = Field(default=None, ge=0)
    batch: float = Field(default=1.0, ge=0)

    def batched(self) -> Price:
        """Returns the price of the same through the Batch API."""
        cached = None if self.cached is None else self.cached * self.batch
        return Price(input=self.input * self.batch, output=self.output * self.batch, cached=cached)

    def cost(self, usage: Usage) -> float:
        """Returns the US dollars that a usage's tokens cost."""
        cached = self.input if self.cached is None else self.cached
        millionths = (
            (usage.prompt_tokens - usage.cached_tokens) * self.input
            + usage.cached_tokens * cached
            + usage.completion_tokens * self.output
        )
        return millionths / 1e6


def price_files() -> list[Path]:
    """Returns where a price file is looked for, in order."""
    config = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    places = [Path("prices.yaml"), config / "calm" / "prices.yaml"]
    named = os.environ.get("CALM_PRICES")
    return [Path(named), *places] if named else places


def read_prices(path: Path) -> dict[str, Price]:
    """Returns the prices in a file, by model name or pattern.

    Raises:
        UsageError: it can't be read; the message names the model and the field.
    """
    content = read_yaml(path, "the prices")
    if not isinstance(content or {}, dict):
        raise UsageError(f"the price file {path} must map model names to prices")
    prices = {}
    for model, value in (content or {}).items():
        if not isinstance(value, dict):
            raise UsageError(f"{path}: {model}: prices are needed, {{input: USD, output: USD}}")
        try:
            prices[str(model)] = Price.model_validate(value)
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(map(str, (model, *first["loc"])))
            raise UsageError(f"{path}: {field}: {first['msg']}") from None
    return prices


def price_of(model: str, path: Path | None = None) -> Price | None:
    """Returns the price of a model, by exact name or the first pattern that fits, or None."""
    files = [path] if path is not None else [p for p in price_files() if p.is_file()]
    for file in files:
        prices = read_prices(file)
        if model in prices:
            return prices[model]
        for pattern, price in prices.items():
            if fnmatch.fnmatchcase(model, pattern):
                return price
    return None
