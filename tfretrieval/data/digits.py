"""`digits`: scikit-learn's 1,797 real handwritten digits of 8 x 8 pixels, written out as PNG files once.

Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning
Repository, 1998; the copy ships inside scikit-learn.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tfretrieval.atomic import replaced_directory
from tfretrieval.data.cache import cache_folder

TEST_SHARE = 0.3
SCALE = 4
COMPLETE = ".complete"


def folder() -> Path:
    """The folder `<split>/<digit>/<number>.png`, made at the first call.

    The last 30 % of each digit, in the order of the source, are the test split: other writers than those in
    the rest, for the most part. Images are enlarged four times, so that a person can look at one.

    Raises:
        UserError: the cache folder cannot be written.
    """
    target = cache_folder() / "digits"
    if not (target / COMPLETE).is_file():
        with replaced_directory(target, COMPLETE) as temporary:
            _write(temporary)
            (temporary / COMPLETE).touch()
    return target


def _write(target: Path) -> None:
    from PIL import Image
    from sklearn.datasets import load_digits

    source = load_digits()
    pixels = np.round(source.images * (255 / 16)).astype(np.uint8)
    for digit in range(10):
        rows = np.flatnonzero(source.target == digit)
        n_train = len(rows) - round(TEST_SHARE * len(rows))
        for place, row in enumerate(rows):
            file = target / ("train" if place < n_train else "test") / str(digit) / f"{row:04d}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            size = (8 * SCALE, 8 * SCALE)
            Image.fromarray(pixels[row]).resize(size, Image.Resampling.BILINEAR).save(file)
