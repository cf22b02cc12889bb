"""`ImageTable`: the decoded images of a catalog, in memory or on disk, else decoded when asked for."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from tfretrieval.data.broken import report_broken
from tfretrieval.data.catalog import Catalog
from tfretrieval.data.decode import decode_and_resize
from tfretrieval.data.image_cache import Take, image_folder, read_images, write_images
from tfretrieval.data.read_image import BrokenImageError, read_image
from tfretrieval.data.remote import is_remote
from tfretrieval.data.rows import rows_of
from tfretrieval.progress import progress

MEMORY_SHARE = 0.25


class ImageTable:
    """The images of a catalog as rows of uint8 [size, size, 3].

    Every file is decoded once when the table is made, so that a broken one is found before any work starts; with the
    cache on disk, when the first table of these files is made.

    Args:
        catalog: n items with files.
        size: side in pixels.
        fit: how an image becomes a square, see `decode_and_resize`.
        on_error: "fail" stops at broken files and names them; "skip" leaves them out and lists them.
        cache: "ram" keeps the decoded images, "none" does not, "auto" does where they take at most a quarter
            of the free memory; "disk" keeps them in a file below the cache folder, for later runs too.

    Attributes:
        catalog: the items, without the skipped ones; row i of the table is item i.
        broken: {path: reason} of the files that could not be decoded.

    Raises:
        UserError: a file cannot be decoded and `on_error` is "fail", or none can; the disk has no room.
    """

    def __init__(
        self, catalog: Catalog, size: int, fit: str = "crop", on_error: str = "fail", cache: str = "auto"
    ) -> None:
        self.size = size
        self.fit = fit
        images, broken = _decoded(list(catalog.paths), size, fit, cache)
        whole = np.setdiff1d(np.arange(len(catalog)), list(broken))
        self.broken = {str(catalog.paths[row]): reason for row, reason in broken.items()}
        if broken:
            report_broken(self.broken, on_error, everything=len(broken) == len(catalog))
            catalog = catalog.subset(whole)
        self.catalog = catalog
        self._whole = tf.constant(whole, tf.int64)
        self._kept = None if images is None else rows_of(images)
        self._paths = tf.constant(list(catalog.paths), tf.string)

    def __len__(self) -> int:
        return len(self.catalog)

    def gather(self, rows: tf.Tensor) -> tf.Tensor:
        """The images at `rows`, an integer tensor [b]: uint8 [b, size, size, 3]. Usable inside tf.data."""
        if self._kept is not None:
            return self._kept(tf.gather(self._whole, rows))
        return tf.map_fn(
            lambda path: decode_and_resize(tf.io.read_file(path), self.size, self.fit),
            tf.gather(self._paths, rows),
            fn_output_signature=tf.TensorSpec([self.size, self.size, 3], tf.uint8),
        )


def decode_files(
    paths: Sequence[str], size: int, fit: str = "crop", keep: bool = True
) -> tuple[np.ndarray | None, dict[int, str]]:
    """Decode every file, on all cores.

    Returns:
        images: uint8 [n, size, size, 3], zeros where a file is broken; None unless `keep`.
        broken: {row: reason} of the files that cannot be decoded.
    """
    if not keep:
        return None, decode_each(paths, size, fit, lambda rows, batch: None)
    images = np.zeros((len(paths), size, size, 3), np.uint8)
    return images, decode_each(paths, size, fit, images.__setitem__)


def decode_each(paths: Sequence[str], size: int, fit: str, take: Take) -> dict[int, str]:
    """Decode every file, on all cores, and hand over rows int64 [b] with images uint8 [b, size, size, 3].

    Returns:
        {row: reason} of the files that cannot be decoded.
    """
    whole = np.zeros(len(paths), bool)
    with progress(None, "read images", total=len(paths)) as bar:
        for rows, batch in whole_files(paths, size, fit, batch_size=64).as_numpy_iterator():
            whole[rows] = True
            take(rows, batch)
            bar.update(len(rows))
    return broken_files(paths, whole, size, fit)


def whole_files(paths: Sequence[str], size: int, fit: str, batch_size: int) -> tf.data.Dataset:
    """(rows int64 [b], images uint8 [b, size, size, 3]) of the files that can be decoded, in any order."""
    names = tf.constant(list(paths), tf.string)
    read = _reader(size, fit)

    def load(row: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return row, read(names[row])

    rows = tf.data.Dataset.range(len(paths))
    images = rows.map(load, num_parallel_calls=tf.data.AUTOTUNE, deterministic=False).ignore_errors()
    return images.batch(batch_size).prefetch(tf.data.AUTOTUNE)


@functools.lru_cache(maxsize=8)
def _reader(size: int, fit: str) -> Callable[[tf.Tensor], tf.Tensor]:
    """From a file's name to its pixels, traced once for all tables of a process."""

    @tf.function(input_signature=[tf.TensorSpec([], tf.string)])
    def read(path: tf.Tensor) -> tf.Tensor:
        return decode_and_resize(tf.io.read_file(path), size, fit)

    return read


def broken_files(paths: Sequence[str], whole: np.ndarray, size: int, fit: str) -> dict[int, str]:
    """{row: reason} for the rows where `whole`, bool [n], is false."""
    return {int(row): why_broken(paths[int(row)], size, fit) for row in np.flatnonzero(~whole)}


def fits_in_memory(n_bytes: int) -> bool:
    """Whether so many bytes are at most a quarter of the memory that is free now."""
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            free = next(int(line.split()[1]) * 1024 for line in file if line.startswith("MemAvailable"))
    except (OSError, StopIteration):
        pass
    return n_bytes <= MEMORY_SHARE * free


def _decoded(paths: list[str], size: int, fit: str, cache: str) -> tuple[np.ndarray | None, dict[int, str]]:
    if cache != "disk":
        in_memory = cache == "ram" or (cache == "auto" and fits_in_memory(len(paths) * size * size * 3))
        return decode_files(paths, size, fit, keep=in_memory)
    folder = image_folder(paths, size, fit)
    found = read_images(folder, len(paths), size)
    if found is None:
        write_images(folder, len(paths), size, lambda take: decode_each(paths, size, fit, take))
        found = read_images(folder, len(paths), size)
    assert found is not None
    return found


def why_broken(path: str, size: int, fit: str) -> str:
    """Why a file cannot be decoded."""
    if not is_remote(path):
        try:
            read_image(path, size, fit)  # whose reasons are plainer than TensorFlow's
        except BrokenImageError as reason:
            return str(reason)
    try:
        decode_and_resize(tf.io.read_file(path), size, fit)
    except tf.errors.OpError as error:
        return str(error.message).split("}} ")[-1].split(" [Op:")[0].splitlines()[0][:120]
    return "it could not be decoded the first time"
