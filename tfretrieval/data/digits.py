"""The data set `digits`: scikit-learn's 1,797 handwritten digits of 8 x 8 pixels as PNG files.

Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository, 1998.
scikit-learn ships a copy.
"""

from pathlib import Path

import numpy as np

from tfretrieval.atomic import replaced_directory
from tfretrieval.data.cache import cache_folder

TEST_FRACTION = 0.3
SCALE = 4
COMPLETE = ".complete"


def folder() -> Path:
    """Folder of the images, `<split>/<digit>/<number>.png` in the cache folder; written on the first call.

    The last 30 % of each digit, in the order of the source, are the test split; most are by other writers than the
    training split. Images are enlarged four times, so that they can be viewed.

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
        n_train = len(rows) - round(TEST_FRACTION * len(rows))
        for index, row in enumerate(rows):
            file = target / ("train" if index < n_train else "test") / str(digit) / f"{row:04d}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            size = (8 * SCALE, 8 * SCALE)
            Image.fromarray(pixels[row]).resize(size, Image.Resampling.BILINEAR).save(file)
