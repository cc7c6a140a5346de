"""The features of all examples of a training: in memory, or, if there are many, in a temporary file."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kerneltools.arrays import Array, blocks, namespace
from kerneltools.backend import move, to_host
from kerneltools.files import RowsFile, open_rows, save_rows
from kerneltools.structures import take

MEMORY = 2**30
"""Bytes of features that are kept in memory."""

BLOCK_NUMBERS = 2**24
"""Numbers in a block of features (64 MiB of float32)."""

ROWS = 8192
"""Rows of a block at most."""


@dataclass(frozen=True, eq=False)
class Kept:
    """Features (n, d): `array`, or the rows of `file`, read in blocks in the library and type of `like`."""

    like: Array
    array: Array | None = None
    file: RowsFile | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """(n, d)"""
        found = self.file if self.array is None else self.array
        assert found is not None  # one of them is given
        return int(found.shape[0]), int(found.shape[1])

    @property
    def bytes(self) -> int:
        """How many bytes they take."""
        n, d = self.shape
        return n * d * _bits(self.like) // 8

    @property
    def place(self) -> str:
        """Where they are, in words."""
        where = "in memory" if self.file is None else "in a temporary file"
        return f"{where}, {self.bytes / 2**30:.2f} GiB"

    def __call__(self) -> Iterator[Array]:
        """All of them, block by block: (b, d)"""
        n, d = self.shape
        size = max(1, min(ROWS, BLOCK_NUMBERS // d))
        if self.file is None:
            return (self.array[rows, :] for rows in blocks(n, size))  # type: ignore[index]  # it is given then
        return (move(rows, self.like) for rows in self.file.blocks(size))

    def taken(self, numbers: Any) -> Array:
        """The features of increasing row numbers (b,), on the host: (b, d)"""
        if self.file is None:
            return take(self.array, numbers)
        found, start = [], 0
        for block in self():
            here = numbers[(numbers >= start) & (numbers < start + block.shape[0])] - start
            if len(here):
                found.append(take(block, here))
            start += int(block.shape[0])
        return namespace(self.like).concat(found)


@contextmanager
def kept(features: Iterator[Array], shape: tuple[int, int], like: Array, memory: int | None = MEMORY) -> Iterator[Kept]:
    """The features of an iterator over blocks: in memory, or, if they take more than `memory` bytes, in a file.

    The file is removed at the end in any case, unless the process is killed. It is in the system's folder for temporary
    files, which the environment variable TMPDIR sets. Raises OSError if that has no room.
    """
    if memory is None or shape[0] * shape[1] * _bits(like) <= 8 * memory:
        yield Kept(like, namespace(like).concat(list(features)))
        return
    folder = "folder for temporary files"
    with ExitStack() as stack:
        try:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="ckn-features-"))
            path = Path(folder) / "features.npy"
            save_rows(path, shape[0], (to_host(block) for block in features))
        except OSError as error:
            size = shape[0] * shape[1] * _bits(like) / 2**33
            raise OSError(
                f"{folder}: cannot hold {size:.1f} GiB of features: {error.strerror or error}; make room, or set "
                "TMPDIR to another folder"
            ) from error
        yield Kept(like, file=open_rows(path))


def _bits(like: Array) -> int:
    return int(namespace(like).finfo(like.dtype).bits)
