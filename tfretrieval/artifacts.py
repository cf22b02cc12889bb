"""Artifacts: directories with a JSON header that holds format, fingerprint and provenance."""

import contextlib
import csv
import hashlib
import json
import logging
import os
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from tfretrieval.atomic import replaced_directory, write_json
from tfretrieval.errors import UserError, one_line

T = TypeVar("T")
READ_ERRORS = (
    OSError, EOFError, LookupError, TypeError, ValueError, AttributeError, RuntimeError, zipfile.BadZipFile, csv.Error,
)  # fmt: skip
SAMPLED_BLOCKS, SAMPLED_BLOCK_BYTES = 64, 1 << 16


log = logging.getLogger(__name__)


class MissingArtifact(UserError):
    """The artifact does not exist."""


class CorruptArtifact(UserError):
    """The artifact exists and cannot be used: damaged, incomplete or written in another format."""


@dataclass(frozen=True)
class ArtifactType:
    """One type of artifact.

    Attributes:
        name: what it is, for messages.
        header: name of the JSON file that every artifact of this type has.
        format: version of the file format. Artifacts of another format are not read.
        remedy: what to do if an artifact is missing or corrupt.
    """

    name: str
    header: str
    format: int
    remedy: str

    def exists(self, directory: str | os.PathLike[str]) -> bool:
        """Whether the directory has a header of this type."""
        return (Path(directory) / self.header).is_file()

    @contextlib.contextmanager
    def replaced(self, directory: str | os.PathLike[str]) -> Iterator[Path]:
        """Yield a temporary directory that takes the place of `directory` when the block ends without an error.

        Raises:
            UserError: the directory cannot be written, or exists and is not an artifact of this type.
        """
        with replaced_directory(directory, self.header) as temporary:
            yield temporary

    def write_header(self, directory: str | os.PathLike[str], fields: Mapping[str, Any]) -> None:
        """Write the header with the format and `fields`."""
        write_json(Path(directory) / self.header, {"format": self.format, **fields})

    def read_header(self, directory: str | os.PathLike[str]) -> dict[str, Any]:
        """Read the header.

        Raises:
            MissingArtifact: there is none.
            CorruptArtifact: it cannot be read or has another format.
        """
        path = Path(directory) / self.header
        try:
            header = json.loads(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            raise MissingArtifact(f"{directory} has no {self.name}: {self.header} is missing", self.remedy) from None
        except (OSError, ValueError) as error:
            raise self.corrupt(directory, f"{self.header} cannot be read: {error}") from None
        if not isinstance(header, dict) or "format" not in header:
            raise self.corrupt(directory, f"{self.header} states no format")
        if header["format"] != self.format:
            problem = f"the {self.name} in {directory} was written by another version of tfretrieval"
            raise CorruptArtifact(f"{problem} (format {header['format']}, not {self.format})", self.remedy)
        return header

    @contextlib.contextmanager
    def reading(self, directory: str | os.PathLike[str]) -> Iterator[None]:
        """Turn the errors of reading damaged files inside the block into `CorruptArtifact`."""
        try:
            yield
        except (MissingArtifact, CorruptArtifact):
            raise
        except (UserError, *READ_ERRORS) as error:
            raise self.corrupt(directory, error) from None

    def corrupt(self, directory: str | os.PathLike[str], reason: object) -> CorruptArtifact:
        """The error for a damaged artifact."""
        return CorruptArtifact(f"the {self.name} in {directory} is corrupt ({one_line(reason)})", self.remedy)


def load_or_none(load: Callable[[Path], T], directory: Path) -> T | None:
    """Load an artifact; None if it is missing or, with a warning, corrupt."""
    try:
        return load(directory)
    except MissingArtifact:
        return None
    except CorruptArtifact as error:
        log.warning("%s; rebuilding", error.problem)
        return None


def file_fingerprint(path: Path) -> str:
    """A short hash of a file's content."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()[:16]


def sampled_fingerprint(path: Path) -> str:
    """A short hash of a file's size and of 64 blocks of 64 KB spread over it; of a small file, of its whole content.

    Takes the same time for a file of any size. A change between the blocks goes unnoticed.
    """
    size = path.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb") as file:
        if size <= SAMPLED_BLOCKS * SAMPLED_BLOCK_BYTES:
            digest.update(file.read())
        else:
            for block in range(SAMPLED_BLOCKS):
                file.seek((size - SAMPLED_BLOCK_BYTES) * block // (SAMPLED_BLOCKS - 1))
                digest.update(file.read(SAMPLED_BLOCK_BYTES))
    return digest.hexdigest()[:16]
