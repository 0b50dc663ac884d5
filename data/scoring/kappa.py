"""How far annotators agree beyond chance: Cohen's and Fleiss' kappa, Krippendorff's alpha."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from data.scoring.metrics import RESAMPLES, Estimate, percentiles, resample


def cohen(first: Sequence[str], second: Sequence[str]) -> float:
    """Returns Cohen's kappa (1960) of two annotators over the same items.

    (p_o - p_e) / (1 - p_e) with p_o the share of items they class alike and p_e the share expected
    from each one's own frequencies. NaN where there are no items, or both only ever use one class.
    """
    return float(_cohen(_table(first, second)))


def cohen_estimate(
    first: Sequence[str], second: Sequence[str], clusters: Sequence[str], seed: int = 0
) -> Estimate:
    """Returns Cohen's kappa with a 95 % bootstrap interval over clusters (episodes).

    See `percentiles`.
    """
    names = sorted({*first, *second})
    tables = _by_cluster(
        clusters, lambda rows: _table([first[i] for i in rows], [second[i] for i in rows], names)
    )
    return _interval(cohen(first, second), _cohen, tables, seed)


def fleiss(ratings: npt.NDArray[np.int64]) -> float:
    """Returns Fleiss' kappa (1971) of ratings (N items, C classes): how many chose each class.

    Every item must have the same number of ratings, n >= 2. With P_i the share of agreeing pairs of
    item i and p_j the share of all ratings in class j: (mean P_i - sum p_j^2) / (1 - sum p_j^2).
    NaN where only one class was ever used.
    """
    raters = ratings.sum(1)
    if len(ratings) and (raters.min() != raters.max() or raters[0] < 2):
        raise ValueError("every item needs the same number of ratings, at least two")
    return float(_fleiss(_fleiss_sums(ratings)))


def fleiss_estimate(
    ratings: npt.NDArray[np.int64], clusters: Sequence[str], seed: int = 0
) -> Estimate:
    """Returns Fleiss' kappa with a 95 % bootstrap interval over clusters (episodes).

    See `percentiles`.
    """
    value = fleiss(ratings)
    sums = _by_cluster(clusters, lambda rows: _fleiss_sums(ratings[rows]))
    return _interval(value, _fleiss, sums, seed)


def alpha(ratings: npt.NDArray[np.int64]) -> float:
    """Returns Krippendorff's alpha for nominal data.

    Ratings (N items, C classes) hold how many people chose each class.

    Items may have any number of ratings, so it fits designs in which not everybody labels
    everything; those with fewer than two say nothing of agreement and are left out. With o_cc' the
    coincidences, n_c their margins and n their sum (Krippendorff 2011): 1 - (n - 1) sum o_cc' /
    sum n_c n_c', both over c != c'. NaN where only one class was ever used.
    """
    return float(_alpha(_alpha_sums(ratings)))


def alpha_estimate(
    ratings: npt.NDArray[np.int64], clusters: Sequence[str], seed: int = 0
) -> Estimate:
    """Returns Krippendorff's alpha with a 95 % bootstrap interval over clusters (episodes)."""
    sums = _by_cluster(clusters, lambda rows: _alpha_sums(ratings[rows]))
    return _interval(alpha(ratings), _alpha, sums, seed)


def _alpha_sums(ratings: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Returns (C + 1,): ratings by class of items with two or more, then their disagreement."""
    n = ratings.sum(1, keepdims=True)
    paired = np.where(n > 1, ratings, 0)
    # Of n ratings, r (n - r) ordered pairs differ for each class; each item counts 1 / (n - 1).
    differing = (paired * (n - paired)).sum(1) / np.maximum(n[:, 0] - 1, 1)
    return np.concatenate([paired.sum(0), [differing.sum()]]).astype(np.float64)


def _alpha(sums: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Returns the alpha of `_alpha_sums` (..., C + 1)."""
    classes, observed = sums[..., :-1], sums[..., -1]
    n = classes.sum(-1)
    expected = n**2 - (classes**2).sum(-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(1 - (n - 1) * observed / np.where(expected == 0, np.nan, expected))


def _table(
    first: Sequence[str], second: Sequence[str], names: Sequence[str] | None = None
) -> npt.NDArray[np.float64]:
    """Returns (C, C) float64: how often the first said i and the second j."""
    names = sorted({*first, *second}) if names is None else names
    index = {name: i for i, name in enumerate(names)}
    table = np.zeros((len(names), len(names)))
    for a, b in zip(first, second, strict=True):
        table[index[a], index[b]] += 1
    return table


def _cohen(tables: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Returns the kappa of tables (..., C, C)."""
    n = tables.sum((-2, -1))
    with np.errstate(invalid="ignore", divide="ignore"):
        observed = np.trace(tables, axis1=-2, axis2=-1) / n
        expected = (tables.sum(-1) * tables.sum(-2)).sum(-1) / n**2
        return np.asarray((observed - expected) / np.where(expected == 1, np.nan, 1 - expected))


def _fleiss_sums(ratings: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Returns (C + 2,): ratings by class, then the sum of P_i, then the number of items."""
    n = ratings.sum(1)
    agreeing = (ratings * (ratings - 1)).sum(1) / np.maximum(n * (n - 1), 1)
    return np.concatenate([ratings.sum(0), [agreeing.sum(), len(ratings)]]).astype(np.float64)


def _fleiss(sums: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Returns the kappa of `_fleiss_sums` (..., C + 2)."""
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = sums[..., :-2] / sums[..., :-2].sum(-1, keepdims=True)
        observed = sums[..., -2] / sums[..., -1]
        expected = (shares**2).sum(-1)
        return np.asarray((observed - expected) / np.where(expected == 1, np.nan, 1 - expected))


def _by_cluster(
    clusters: Sequence[str], summed: Callable[[list[int]], npt.NDArray[np.float64]]
) -> npt.NDArray[np.float64]:
    """Returns (K, ...): `summed` of the rows of each cluster."""
    members: dict[str, list[int]] = {}
    for i, cluster in enumerate(clusters):
        members.setdefault(cluster, []).append(i)
    return np.array([summed(rows) for rows in members.values()])


def _interval(
    value: float,
    kappa: Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]],
    by_cluster: npt.NDArray[np.float64],
    seed: int,
) -> Estimate:
    if np.isnan(value):
        return Estimate(value, np.nan, np.nan)
    values = kappa(resample(by_cluster, RESAMPLES, np.random.default_rng(seed)))
    return Estimate(value, *percentiles(values))
