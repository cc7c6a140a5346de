"""Reading bytes of files whose headers may claim any size."""

from typing import Protocol

_CHUNK = 1 << 18  # bytes


class Readable(Protocol):
    """What files, members of archives and unpacked streams share."""

    def read(self, size: int, /) -> bytes: ...


def at_most(stream: Readable, size: int, begun: bytes | bytearray = b"") -> bytearray:
    """`size` bytes, or fewer if the stream ends: those already read, and the next ones.

    Memory grows with the bytes that exist, not with those asked for: a header that claims terabytes costs nothing.
    """
    content = bytearray(begun)
    while len(content) < size and (piece := stream.read(min(_CHUNK, size - len(content)))):
        content += piece
    return content
