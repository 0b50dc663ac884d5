"""Prices: what is not known is said, and not taken for zero."""

from pathlib import Path

import pytest

from calm.endpoint.pricing import Price, price_of, read_prices
from calm.errors import UsageError
from calm.records import Usage


def test_a_cost_counts_cached_tokens_at_their_own_price() -> None:
    price = Price(input=2.0, output=8.0, cached=0.5)
    usage = Usage(1, prompt_tokens=1000, cached_tokens=400, completion_tokens=50)
    assert price.cost(usage) == pytest.approx((600 * 2 + 400 * 0.5 + 50 * 8) / 1e6)
    assert Price(input=2, output=8).cost(usage) == pytest.approx((1000 * 2 + 50 * 8) / 1e6)
    half = Price(input=2, output=8, cached=0.5, batch=0.5).batched()
    assert half.cost(usage) == pytest.approx((600 * 1 + 400 * 0.25 + 50 * 4) / 1e6)


def test_a_price_file_is_read_exact_names_before_patterns(tmp_path: Path) -> None:
    path = tmp_path / "prices.yaml"
    path.write_text('"m*": {input: 1, output: 2}\nmini: {input: 3, output: 4, cached: 0.3}\n')
    assert price_of("mini", path) == Price(input=3, output=4, cached=0.3)
    assert price_of("mega", path) == Price(input=1, output=2)
    assert price_of("other", path) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("m: {input: 1}", "m.output"),
        ("m: {input: -1, output: 2}", "m.input"),
        ("m: {input: 1, output: 2, per: day}", "m.per"),
        ("m: 3", "m: prices are needed"),
        ("m:", "m: prices are needed"),
        ("[1, 2]", "must map"),
        ("m: {", "can't read"),
    ],
)
def test_a_broken_price_file_names_the_field(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "p.yaml").write_text(text)
    with pytest.raises(UsageError, match=reason):
        read_prices(tmp_path / "p.yaml")
