"""The logs: packed or plain, whole or a range of bytes, as blocks of whole lines.

What unpacks is imported when a log is packed that way, for most are plain and a short one is soon read.
"""

import importlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from types import ModuleType
from typing import IO, cast

from auditsvc.errors import InputError

BLOCK_BYTES = 64 << 10
"""Small enough to stay in the processor's cache while it is decoded."""

MAX_LINE_BYTES = 32 << 20
"""A longer line is counted as malformed, unseen: the API server cuts its events far below."""

TOO_LONG = b"(a line that is too long)"
"""The block that stands for such a line. It is told by its identity: Python has each single byte but once."""


@dataclass(frozen=True, slots=True)
class Log:
    """An audit log, plain or packed with gzip, zstandard, xz or bzip2; ``name`` is what messages call it.

    Without a ``path`` it is a stream, which can be read once.
    """

    name: str
    path: Path | None
    stream: BufferedReader | None = None

    @classmethod
    def at(cls, path: Path, *, name: str | None = None) -> "Log":
        """The log in a file, called by the file's name where no other is given."""
        return cls(name or path.name, path)

    @contextmanager
    def opened(self) -> Iterator[IO[bytes]]:
        """The unpacked log from its start; InputError where it cannot be read or unpacked."""
        with ExitStack() as stack, self._told_errors():
            packed = self.stream or stack.enter_context(cast(Path, self.path).open("rb"))
            unpack = _unpacker(packed)
            yield packed if unpack is None else stack.enter_context(unpack(packed))

    @property
    def plain_bytes(self) -> int:
        """The size of a plain file, whose ranges can be read on their own; 0 for any other log."""
        with self._told_errors():
            if self.path is None or not self.path.is_file():
                return 0
            with self.path.open("rb") as file:
                return 0 if _unpacker(file) else self.path.stat().st_size

    @contextmanager
    def _told_errors(self) -> Iterator[None]:
        try:
            yield
        except _unpacking_errors() as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise InputError(f"cannot read {self.name}: {reason}") from error


@dataclass(frozen=True, slots=True)
class Range:
    """A part of a log: so many bytes from ``start`` on, to its end where ``length`` is None."""

    log: Log
    start: int = 0
    length: int | None = None

    def __str__(self) -> str:
        if self.length is None:
            return self.log.name
        return f"{self.log.name}, bytes {self.start} to {self.start + self.length}"

    def blocks(self) -> Iterator[bytes]:
        """Blocks of whole lines; TOO_LONG for a line that is.

        InputError where the log cannot be read.
        """
        with self.log.opened() as stream:
            if self.start:
                stream.seek(self.start)
            yield from _blocks(stream, self.length)


def no_event(log: Log) -> InputError:
    """What is wrong with a log that holds no audit event."""
    return InputError(
        f"{log.name}: no audit event in it (expected one audit.k8s.io/v1 Event as JSON on each line)"
    )


def _blocks(stream: IO[bytes], length: int | None) -> Iterator[bytes]:
    """Blocks of whole lines; TOO_LONG stands for a line that is."""
    buffer = bytearray(BLOCK_BYTES)
    held, skipping, left = 0, False, length
    while size := _read_into(stream, memoryview(buffer)[held:], left):
        left = None if left is None else left - size
        end = held + size
        start = buffer.find(b"\n", 0, end) + 1 if skipping else 0
        cut = buffer.rfind(b"\n", 0, end) + 1
        if start < cut:
            yield bytes(memoryview(buffer)[start:cut])
        skipping = skipping and not cut
        held = 0 if skipping else end - cut
        buffer[:held] = buffer[cut : cut + held]
        if held == MAX_LINE_BYTES:
            yield TOO_LONG
            held, skipping = 0, True
        elif held == len(buffer):
            buffer += bytes(held)
    if held:
        yield bytes(memoryview(buffer)[:held])


def _read_into(stream: IO[bytes], room: memoryview, left: int | None) -> int:
    wanted = room if left is None else room[:left]
    # One read of a pipe, not as many as fill the room: between them a Ctrl-C would not be looked at.
    return cast(BufferedReader, stream).readinto1(wanted)


def _unpacker(file: BufferedReader) -> Callable[[IO[bytes]], IO[bytes]] | None:
    start = file.peek(8)
    return next((unpack for magic, unpack in _UNPACKERS.items() if start.startswith(magic)), None)


def _gunzip(file: IO[bytes]) -> IO[bytes]:
    try:
        from isal import igzip as gzip
    except ImportError:  # where ISA-L has no build the standard library unpacks, more slowly
        import gzip  # type: ignore[no-redef]
    return cast(IO[bytes], gzip.open(file))  # type: ignore[no-untyped-call]  # isal's is not annotated


def _unzstd(file: IO[bytes]) -> IO[bytes]:
    return cast(IO[bytes], _zstd().open(file))


def _zstd() -> ModuleType:
    try:
        return importlib.import_module("compression.zstd")  # from Python 3.14 on
    except ImportError:
        return importlib.import_module("backports.zstd")


def _unxz(file: IO[bytes]) -> IO[bytes]:
    import lzma

    return lzma.open(file)


def _unbz2(file: IO[bytes]) -> IO[bytes]:
    import bz2

    return bz2.open(file)


_UNPACKERS: dict[bytes, Callable[[IO[bytes]], IO[bytes]]] = {
    b"\x1f\x8b": _gunzip,
    b"\x28\xb5\x2f\xfd": _unzstd,
    b"\xfd7zXZ\x00": _unxz,
    b"BZh": _unbz2,
}


def _unpacking_errors() -> tuple[type[Exception], ...]:
    import lzma
    import zlib

    errors: list[type[Exception]] = [EOFError, OSError, zlib.error, lzma.LZMAError, _zstd().ZstdError]
    with suppress(ImportError):
        from isal.igzip_lib import IsalError  # typed as an instance

        errors.append(cast(type[Exception], IsalError))
    return tuple(errors)
