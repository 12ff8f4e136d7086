"""Pictures to measure with where the peers' are not at hand."""

import io
from typing import Any

import numpy as np
from PIL import Image


def synthetic() -> dict[str, Any]:
    """Crops of the two photos that scikit-learn brings."""
    from sklearn.datasets import load_sample_images

    photos = [Image.fromarray(photo) for photo in load_sample_images().images]
    generator = np.random.default_rng(0)

    def crop(height: int, width: int) -> np.ndarray:
        photo = photos[generator.integers(len(photos))]
        x, y = generator.integers(0, (photo.width - 450, photo.height - 350))
        box = (int(x), int(y), int(x) + 450, int(y) + 350)
        return np.asarray(photo.resize((width, height), Image.Resampling.BILINEAR, box=box))

    big = [crop(int(generator.integers(340, 411)), int(generator.integers(460, 541))) for _ in range(64)]
    jpg = []
    for photo in big:
        file = io.BytesIO()
        Image.fromarray(photo).save(file, "JPEG", quality=92)
        jpg.append(file.getvalue())
    large, small = (np.stack([crop(side, side) for _ in range(n)]) for side, n in ((224, 64), (32, 1024)))
    gray = np.stack(
        [np.asarray(Image.fromarray(picture).resize((28, 28)).convert("L"))[:, :, None] for picture in small]
    )
    return {"big": big, "jpg": jpg, "i224": large, "i32": small, "i28": gray}
