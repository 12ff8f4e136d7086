"""Texts of a task that brings paraphrases: what the model is shown of them."""

import numpy as np
import pytest
from small_tasks import texts
from test_loop import IN_OTHER_WORDS, in_other_words, trainer

from gapless.errors import UsageError
from gapless.recipe import Augment, Op, Recipe


def test_texts_are_shown_in_the_other_words_of_the_task() -> None:
    task = in_other_words()
    always = Augment(ops=(Op(op="back_translate", strength=1.0),))
    shown: dict[str, list[str]] = {}
    for name, part in (("half", IN_OTHER_WORDS.augment), ("always", always)):
        t = trainer(task, Recipe(augment=part))
        batches = t._varied([np.arange(30), np.arange(30, 60)])  # pyright: ignore[reportPrivateUsage]
        shown[name] = [text for inputs, _ in batches for text in inputs if isinstance(text, str)]
    own: list[str] = task.develop.x[:60].tolist()
    assert shown["always"] == [f"People said: {text}" for text in own]
    assert 15 < sum(new == old for new, old in zip(shown["half"], own, strict=True)) < 45
    assert set(shown["half"]) <= {*own, *shown["always"]}


def test_a_recipe_whose_paraphrases_are_missing_says_so() -> None:
    with pytest.raises(UsageError, match="back_translate picks from paraphrases that are made ahead"):
        trainer(texts(), IN_OTHER_WORDS).run_to(1)
