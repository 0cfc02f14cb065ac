"""xz, unpacked in bounded memory."""

import io
import lzma
from typing import IO, Any

_MEMORY_BYTES = 128 << 20
"""What a file may ask for to be unpacked: twice of what ``xz -9`` does."""

_BLOCK_BYTES = 64 << 10


class Unxz(io.RawIOBase):
    """As lzma.open, which gives a file whatever memory its header asks for: up to 4 GB."""

    def __init__(self, packed: IO[bytes]) -> None:
        self._packed = packed
        self._unpacker = _unpacker()

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, room: Any) -> int:
        """Unpacks into the room; LZMAError and EOFError where that cannot be done."""
        data = b""
        while not data:
            packed = b""
            if self._unpacker.eof:
                packed = self._next_stream()
                if not packed:
                    return 0
                self._unpacker = _unpacker()
            elif self._unpacker.needs_input:
                packed = self._packed.read(_BLOCK_BYTES)
                if not packed:
                    raise EOFError("it ends in the middle")
            data = self._unpacker.decompress(packed, len(room))
        room[: len(data)] = data
        return len(data)

    def _next_stream(self) -> bytes:
        """The start of what follows a stream: another one, after zeros or none; empty at the file's end."""
        rest = self._unpacker.unused_data.lstrip(b"\0")
        while not rest and (block := self._packed.read(_BLOCK_BYTES)):
            rest = block.lstrip(b"\0")
        return rest


def _unpacker() -> lzma.LZMADecompressor:
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MEMORY_BYTES)
