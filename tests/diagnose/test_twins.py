"""Twins that were planted are found with their partners; among rows drawn apart there are hardly any."""

import numpy as np
import pytest

from gapless.data.readers.builtin import digits
from gapless.data.readers.texts import as_array
from gapless.diagnose.twins.found import Twins
from gapless.diagnose.twins.pictures import picture_twins
from gapless.diagnose.twins.tables import table_twins
from gapless.diagnose.twins.texts import text_twins

PLANTED = 30


def known(twins: Twins) -> set[tuple[int, int]]:
    return set(zip(twins.rows.tolist(), twins.partners.tolist(), strict=True))


def test_pictures_in_any_of_eight_positions_and_other_light() -> None:
    x = digits().develop.x
    base, asked = x[:800], x[800:1400].copy()
    for number in range(PLANTED):
        turned = np.rot90(base[number], number % 4)
        turned = turned[:, ::-1] if number % 8 > 3 else turned
        asked[number] = (0.8 * turned.astype(float) + 20).astype(np.uint8)
    found = known(picture_twins(asked, base))
    assert {(n, n) for n in range(PLANTED)} <= found
    assert len(found) <= PLANTED + 5
    assert len(picture_twins(x[:800], None).rows) <= 3


def test_noise_between_pictures_is_no_likeness() -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (300, 12, 9, 3), dtype=np.uint8)
    assert len(picture_twins(x, None).rows) <= 3
    same = np.concatenate([x, x[:20]])
    assert {(300 + n, n) for n in range(20)} <= known(picture_twins(same, None))


def test_rows_equal_but_for_a_column() -> None:
    rng = np.random.default_rng(1)
    base = rng.standard_normal((400, 6)).astype(np.float32)
    asked = rng.standard_normal((200, 6)).astype(np.float32)
    asked[:PLANTED] = base[:PLANTED]
    asked[np.arange(PLANTED), np.arange(PLANTED) % 6] = 9.0
    twins = table_twins(asked, base, 0)
    assert known(twins) == {(n, n) for n in range(PLANTED)}
    assert twins.expected < 1
    inside = table_twins(np.concatenate([base, base[:5]]), None, 0)
    assert known(inside) == {(n, 400 + n) for n in range(5)} | {(400 + n, n) for n in range(5)}


@pytest.mark.parametrize("seed", range(3))
def test_where_values_are_few_equal_rows_are_expected(seed: int) -> None:
    x = np.random.default_rng(seed).integers(0, 3, (300, 6)).astype(np.float32)
    twins = table_twins(x, None, seed)
    assert len(twins.rows) > 250
    assert abs(len(twins.rows) - twins.expected) < 20


def test_texts_with_a_few_words_changed() -> None:
    rng = np.random.default_rng(2)
    words = [f"word{n}" for n in range(300)]
    base = [" ".join(rng.choice(words, 70)) for _ in range(200)]
    changed = [text.rsplit(" ", 2)[0].upper() + " the end" for text in base[:PLANTED]]
    others = [" ".join(rng.choice(words, 70)) for _ in range(100)]
    found = text_twins(as_array(changed + others), as_array(base), 0)
    assert known(found) == {(n, n) for n in range(PLANTED)}
    short = as_array(["yes", "no", "yes", "well"])
    assert text_twins(short, None, 0).rows.tolist() == [0, 2]
