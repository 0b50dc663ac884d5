"""What a student has learned: a linear model of each subgoal, and how certain it has to be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

FOLDS = 5
WORDS = r"(?u)\b\w+\b"
STRENGTH = 10.0
"""C of scikit-learn's logistic regression: the inverse weight of its penalty."""

Shares = npt.NDArray[np.float64]


class StudentModel:
    """Logistic regressions over the words of a text and their pairs, one for each subgoal.

    Args:
        texts: N different ones, at least FOLDS.
        answers: (N, G) int, 1 yes, 0 no, about each of G subgoals.
        agreement: share of the texts on which it is to give all answers as they are here, of
            those of which it is certain enough; in (0, 1).
    """

    def __init__(
        self, texts: Sequence[str], answers: npt.NDArray[np.int8], agreement: float
    ) -> None:
        from sklearn.feature_extraction.text import CountVectorizer

        self.n = len(texts)
        self._vectorizer = CountVectorizer(token_pattern=WORDS, ngram_range=(1, 2), binary=True)
        x = self._vectorizer.fit_transform(texts)
        names = self._vectorizer.get_feature_names_out()
        self._is_word = np.array([" " not in name for name in names])
        self._vocabulary = set(names[self._is_word])
        self._tokens = self._vectorizer.build_tokenizer()
        held_out = np.zeros(answers.shape)
        is_known = np.zeros(self.n, bool)
        fold_of = np.random.default_rng(0).permutation(self.n) % FOLDS
        for fold in range(FOLDS):
            inside, outside = fold_of != fold, fold_of == fold
            held_out[outside] = _predict(_fit(x[inside], answers[inside]), x[outside])
            was_read = np.asarray(x[inside].sum(0)).ravel() > 0
            new_words = x[outside][:, self._is_word & ~was_read].sum(1)
            is_known[outside] = np.asarray(new_words).ravel() == 0
        right = ((held_out > 0.5) == (answers == 1)).all(1)
        certainty = np.where(is_known, _certainty(held_out), 0.0)
        self.least_certainty = least_certainty(certainty, right, agreement)
        """That a text's least certain subgoal has to have; above 1 where none is enough."""
        self._models = _fit(x, answers)

    def judge(self, texts: Sequence[str]) -> tuple[npt.NDArray[np.bool_], Shares]:
        """Judges texts.

        Returns:
            sure: (N,) bool, certain enough and without a word that was never read.
            yes: (N, G) the probability that each subgoal was achieved.
        """
        yes = _predict(self._models, self._vectorizer.transform(texts))
        is_known = [
            all(word in self._vocabulary for word in self._tokens(text.lower())) for text in texts
        ]
        return np.array(is_known, bool) & (_certainty(yes) >= self.least_certainty), yes


def least_certainty(certainty: Shares, right: npt.NDArray[np.bool_], agreement: float) -> float:
    """Returns the least certainty at and above which answers agree often enough.

    Often enough: (k + 1) / (n + 2) is at least `agreement`, for k that agree of n; Laplace's rule
    of succession, by which .98 takes 48 without a fault.

    >>> least_certainty(np.array([0.9, 0.8, 0.7, 0.6]), np.array([True, True, True, False]), 0.75)
    0.7

    Args:
        certainty: (N,) of each answer, in [0, 1].
        right: (N,) whether it agrees.

    Returns:
        2 where no certainty is enough.
    """
    order = np.argsort(-certainty, kind="stable")
    n = np.arange(1, len(order) + 1)
    enough = (np.cumsum(right[order]) + 1) / (n + 2) >= agreement
    is_last = np.append(np.diff(certainty[order]) != 0, True)  # equal ones come all or not at all
    good = np.flatnonzero(enough & is_last & (certainty[order] > 0))
    return float(certainty[order[good[-1]]]) if len(good) else 2.0


def _certainty(yes: Shares) -> Shares:
    """Returns (N,) how certain each text's least certain answer is, from (N, G) odds of yes."""
    return np.asarray(np.maximum(yes, 1 - yes).min(1))


def _fit(x: Any, answers: npt.NDArray[np.int8]) -> list[Any]:
    """Returns a model of each subgoal; a share alone where all answers are the same."""
    from sklearn.linear_model import LogisticRegression

    models: list[Any] = []
    for column in answers.T:
        if column.min() == column.max():
            models.append(float(column.sum() + 1) / (len(column) + 2))
        else:
            models.append(LogisticRegression(C=STRENGTH, max_iter=1000).fit(x, column))
    return models


def _predict(models: Sequence[Any], x: Any) -> Shares:
    """Returns (N, G), the probability of yes by each model."""
    columns = [
        np.full(x.shape[0], model) if isinstance(model, float) else model.predict_proba(x)[:, 1]
        for model in models
    ]
    return np.stack(columns, axis=1)
