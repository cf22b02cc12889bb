"""`ImageTable`: the decoded images of a catalog, in memory, on disk, or decoded on demand."""

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import psutil
import tensorflow as tf

from tfretrieval.data.cache import cache_folder
from tfretrieval.data.catalog import Catalog
from tfretrieval.data.image_cache import CACHE, WriteBatch, images_fingerprint, read_images, write_images
from tfretrieval.data.read_image import BrokenImageError, broken_reason, read_image, report_broken_images
from tfretrieval.data.threaded_map import map_in_threads
from tfretrieval.progress import progress

MEMORY_FRACTION = 0.25


class ImageTable:
    """The images of a catalog as rows uint8 [n, size, size, 3].

    Every file is decoded once when the table is created, so that unreadable files are found before work starts; with
    the cache on disk, when the first table of these files is created.

    Args:
        catalog: n items with files.
        size: side of the images in pixels.
        resize_mode: "crop", "pad" or "stretch", see `read_image`.
        on_error: mode for unreadable files: "fail" raises an error that names them, "skip" logs and excludes them.
        cache: "ram" keeps decoded images in memory, "auto" does so if they take at most a quarter of the available
            memory, "disk" keeps them in a file below the cache folder for later runs, "none" decodes on demand.

    Attributes:
        catalog: the items without the skipped ones; row i of the table is item i.
        broken: {path: reason} of the unreadable files.

    Raises:
        UserError: a file is unreadable and `on_error` is "fail", all files are, or the disk is full.
    """

    def __init__(
        self, catalog: Catalog, size: int, resize_mode: str = "crop", on_error: str = "fail", cache: str = "auto"
    ) -> None:
        self.size = size
        self.resize_mode = resize_mode
        images, broken = _decoded(list(catalog.paths), size, resize_mode, cache)
        decodable = np.setdiff1d(np.arange(len(catalog)), list(broken))
        self.broken = {str(catalog.paths[row]): reason for row, reason in broken.items()}
        if broken:
            report_broken_images(self.broken, on_error, all_broken=len(broken) == len(catalog))
            catalog = catalog.subset(decodable)
        self.catalog = catalog
        self._decodable = tf.constant(decodable, tf.int64)
        self._gather_cached = None if images is None else row_gather(images)

    def __len__(self) -> int:
        return len(self.catalog)

    def gather(self, rows: tf.Tensor) -> tf.Tensor:
        """The images at `rows`, int [b], as uint8 [b, size, size, 3]; usable inside tf.data."""
        if self._gather_cached is not None:
            return self._gather_cached(tf.gather(self._decodable, rows))
        images = tf.numpy_function(self._read, [rows], tf.uint8, stateful=False)
        return tf.ensure_shape(images, [rows.shape[0], self.size, self.size, 3])

    def _read(self, rows: np.ndarray) -> np.ndarray:
        return np.stack([read_image(self.catalog.paths[row], self.size, self.resize_mode) for row in rows])


def row_gather(array: np.ndarray) -> Callable[[tf.Tensor], tf.Tensor]:
    """A function from rows, int [b], to the array's rows [b, ...], usable inside tf.data.

    A memory-mapped array is read from disk row by row; any other is held as a tensor.
    """
    if not isinstance(array, np.memmap):
        tensor = tf.constant(array)
        return lambda rows: tf.gather(tensor, rows)

    def read(rows: tf.Tensor) -> tf.Tensor:
        values = tf.numpy_function(lambda indices: array[indices], [rows], array.dtype, stateful=False)
        return tf.ensure_shape(values, [rows.shape[0], *array.shape[1:]])

    return read


def decode_each(paths: Sequence[str], size: int, resize_mode: str, write: WriteBatch) -> dict[int, str]:
    """Decode files on all cores and call `write` with rows int64 [b] and images uint8 [b, size, size, 3].

    Returns:
        {row: reason} of the unreadable files.
    """
    decodable = np.zeros(len(paths), bool)
    with progress(None, "read images", total=len(paths)) as bar:
        for rows, batch in decoded_batches(paths, size, resize_mode, batch_size=64):
            decodable[rows] = True
            write(rows, batch)
            bar.update(len(rows))
    return {int(row): broken_reason(paths[int(row)], size, resize_mode) for row in np.flatnonzero(~decodable)}


def decoded_batches(
    paths: Sequence[str], size: int, resize_mode: str, batch_size: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Decode files on all cores: (rows int64 [b], images uint8 [b, size, size, 3]) of the decodable ones, in order."""

    def decode(start: int) -> tuple[np.ndarray, np.ndarray]:
        images = {}
        for row in range(start, min(start + batch_size, len(paths))):
            with contextlib.suppress(BrokenImageError):
                images[row] = read_image(paths[row], size, resize_mode)
        return np.array(list(images), np.int64), np.array(list(images.values()), np.uint8).reshape(-1, size, size, 3)

    batches = map_in_threads(decode, range(0, len(paths), batch_size), os.cpu_count() or 1)
    return (batch for batch in batches if len(batch[0]))


def fits_in_memory(n_bytes: int) -> bool:
    """Whether a number of bytes is at most a quarter of the available memory."""
    return n_bytes <= MEMORY_FRACTION * psutil.virtual_memory().available


def _decoded(paths: list[str], size: int, resize_mode: str, cache: str) -> tuple[np.ndarray | None, dict[int, str]]:
    if cache != "disk":
        if cache == "none" or (cache == "auto" and not fits_in_memory(len(paths) * size * size * 3)):
            return None, decode_each(paths, size, resize_mode, lambda rows, batch: None)
        images = np.zeros((len(paths), size, size, 3), np.uint8)
        return images, decode_each(paths, size, resize_mode, images.__setitem__)
    folder = cache_folder() / "images" / images_fingerprint(paths, size, resize_mode)
    if not CACHE.exists(folder):
        write_images(folder, len(paths), size, lambda write: decode_each(paths, size, resize_mode, write))
    return read_images(folder, len(paths), size)
