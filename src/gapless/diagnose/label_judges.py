"""Two classifiers that serve as judges where none is given: quick, and the same in every run."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from threadpoolctl import ThreadpoolController

from gapless.diagnose.labels import Classifier
from gapless.evidence.rivals import pixels

SIDE = 16
"""Pictures are averaged down to at most so many pixels a side before they are compared."""


def text_classifier(seed: int) -> Classifier:
    """TF-IDF of words and pairs of words, then logistic regression, one class against the rest."""
    # the apostrophe stays inside of a word, so that "don't" is a word, and words of one letter count
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"(?u)\w+(?:['’]\w+)*")
    # balanced: who always names the commonest class notices no change. On many sparse columns liblinear takes a sixth
    # of the time of the usual solver.
    regression = LogisticRegression(C=10.0, class_weight="balanced", solver="liblinear", tol=1e-2, random_state=seed)
    return _OneThread(make_pipeline(words, OneVsRestClassifier(regression)))


def image_classifier(seed: int) -> Classifier:
    """Pixels (N, H, W) or (N, H, W, C), averaged over blocks, then the vote of the five nearest by their distance.

    Neighbours learn that a class looks in several ways (a mirrored one, too), which no linear judge can. Good for what
    is centred, such as digits and clothes; for photographs give a network of your own. The seed decides nothing.
    """
    neighbours = KNeighborsClassifier(5, weights="distance")
    return _OneThread(make_pipeline(FunctionTransformer(pixels, kw_args={"side": SIDE}), neighbours))


class _OneThread:
    """A classifier of scikit-learn on one thread: its matrices are small, and threads that wait for each other on a
    busy machine take many times as long as one."""

    def __init__(self, classifier: Any):
        self._classifier = classifier

    def fit(self, examples: Any, labels: Any, /) -> None:
        with _libraries().limit(limits=1):
            self._classifier.fit(examples, labels)

    def predict_proba(self, examples: Any, /) -> NDArray[np.float64]:
        with _libraries().limit(limits=1):
            return self._classifier.predict_proba(examples)


@cache
def _libraries() -> ThreadpoolController:
    """What has threads of its own in this process; looked for once, which takes as long as a small fit."""
    return ThreadpoolController()
