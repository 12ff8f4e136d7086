"""The constants of baseline JPEG (ITU-T T.81, annex K; JFIF 1.02) that both interpreters use."""

from __future__ import annotations

import numpy as np

from gapless.augment.image.algebra import Floats

_LUMA = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ]
)
_CHROMA = np.full((8, 8), 99)
_CHROMA[:4, :4] = [[17, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99]]

TIE = 2e-4
"""Added before rounding, away from 0 for coefficients, so that halves, which are frequent here, go the same way in any
order of summation, and as in libjpeg."""

TO_YCC = np.array([[0.299, 0.587, 0.114], [-0.168735892, -0.331264108, 0.5], [0.5, -0.418687589, -0.081312411]])
TO_RGB = np.array([[1, 0, 1.402], [1, -0.344136286, -0.714136286], [1, 1.772, 0]])

_k, _n = np.arange(8)[:, None], np.arange(8)[None, :]
DCT = np.where(_k == 0, np.sqrt(1 / 8), 0.5 * np.cos((2 * _n + 1) * _k * np.pi / 16))
"""(8, 8): the orthonormal cosine transform; DCT @ block @ DCT.T are a block's coefficients."""


def steps(quality: Floats) -> tuple[Floats, Floats]:
    """Quantisation steps (n, 8, 8) for luma and chroma at qualities from 1 to 100, as libjpeg has them."""
    percent = np.where(quality < 50, 5000 // np.maximum(quality, 1), 200 - 2 * quality)[:, None, None]
    luma, chroma = (np.clip((table * percent + 50) // 100, 1, 255) for table in (_LUMA, _CHROMA))
    return luma, chroma
