"""Bytes of files whose headers may promise anything."""

from typing import Protocol

_CHUNK = 1 << 18  # bytes


class Readable(Protocol):
    """What files, members of archives and unpacked streams have in common."""

    def read(self, size: int, /) -> bytes: ...


def at_most(stream: Readable, size: int, begun: bytes | bytearray = b"") -> bytearray:
    """`size` bytes, or fewer where the stream ends: those that were read already, and the next ones.

    Memory grows with what is there, not with what was asked for: a header that promises terabytes costs nothing.
    """
    content = bytearray(begun)
    while len(content) < size and (piece := stream.read(min(_CHUNK, size - len(content)))):
        content += piece
    return content
