"""The logs: packed or plain, whole or a range of bytes, as blocks of whole lines.

What unpacks is imported when a log is packed that way, for most are plain and a short one is soon read.
"""

import importlib
import os
import stat
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager, suppress
from io import BufferedReader, FileIO, RawIOBase
from pathlib import Path
from types import ModuleType
from typing import IO, Any, cast

import msgspec

from auditsvc.errors import EmptyLogError, InputError, TooLargeError

BLOCK_BYTES = 256 << 10
"""Small enough to stay in the processor's cache while it is decoded, and enough for what each block costs."""

PEEK_BYTES = 4 << 10
"""So much of a block's end is looked through for that of a line first: few lines are longer."""

MAX_LINE_BYTES = 32 << 20
"""A longer line is counted as malformed, unseen: the API server cuts its events far below."""

TOO_LONG = b"(a line that is too long)"
"""The block that stands for such a line. It is told by its identity: Python has each single byte but once."""


class Log(msgspec.Struct, frozen=True):
    """An audit log, plain or packed with gzip, zstandard, xz or bzip2; ``name`` is what messages call it.

    Without a ``path`` it is a stream, which can be read once. ``limit`` is how many bytes a packed one may
    unpack to: a small file may hold more than any disk.
    """

    name: str
    path: Path | None
    stream: BufferedReader | None = None
    limit: int | None = None

    @classmethod
    def at(cls, path: Path, *, name: str | None = None, limit: int | None = None) -> "Log":
        """The log in a file, called by the file's name where no other is given."""
        return cls(name or path.name, path, limit=limit)

    @contextmanager
    def opened(self) -> Iterator[IO[bytes]]:
        """The unpacked log from its start.

        InputError where it cannot be read or unpacked, TooLargeError where it unpacks to more than the limit.
        """
        with ExitStack() as stack, self._told_errors():
            packed = self.stream or stack.enter_context(cast(Path, self.path).open("rb"))
            unpack = _unpacker(packed)
            if unpack is None:
                yield packed
                return
            unpacked = stack.enter_context(unpack(packed))
            yield unpacked if self.limit is None else self._limited(unpacked, self.limit)

    def _limited(self, unpacked: IO[bytes], limit: int) -> IO[bytes]:
        error = TooLargeError(f"{self.name}: unpacks to more than {limit} bytes (max_unpacked_bytes)")
        return BufferedReader(_Limited(unpacked, limit, error), BLOCK_BYTES)

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


class _Limited(RawIOBase):
    """An unpacked stream that raises an error where it goes on after so many bytes."""

    def __init__(self, unpacked: IO[bytes], limit: int, error: TooLargeError) -> None:
        self._unpacked = cast(BufferedReader, unpacked)
        self._left = limit
        self._error = error

    def readable(self) -> bool:
        return True

    def readinto(self, room: Any) -> int:
        size = self._unpacked.readinto1(room)
        self._left -= size
        if self._left < 0:
            raise self._error
        return size


class Range(msgspec.Struct, frozen=True):
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
            if self.length is not None:
                yield from blocks_between(stream, self.start, self.start + self.length)
                return
            if self.log.path is not None and _is_file(stream):
                size = os.fstat(stream.fileno()).st_size
                stream.seek((yield from _blocks_of_file(stream.fileno(), self.start, size)))
            yield from _blocks(stream, None)


def blocks_between(stream: IO[bytes], start: int, end: int) -> Iterator[bytes]:
    """Blocks of whole lines of an open plain file, between two places of it; TOO_LONG for a line that is."""
    start = yield from _blocks_of_file(stream.fileno(), start, end)
    stream.seek(start)
    yield from _blocks(stream, end - start)


def no_event(log: Log) -> InputError:
    """What is wrong with a log that holds no audit event: EmptyLogError where nothing was written to it."""
    kind = EmptyLogError if _is_blank(log) else InputError
    return kind(f"{log.name}: no audit event in it (expected one audit.k8s.io/v1 Event as JSON on each line)")


def _is_blank(log: Log) -> bool:
    """Whether the start of a log is nothing or white space; a stream, which is read, is taken for one."""
    if log.path is None or not log.path.is_file():
        return True
    with log.opened() as stream:
        return not stream.read(BLOCK_BYTES).strip()


def _is_file(stream: IO[bytes]) -> bool:
    """Whether a stream is a file itself, unpacked by nobody, any place of which can be read."""
    return (
        isinstance(stream, BufferedReader)
        and isinstance(stream.raw, FileIO)
        and stat.S_ISREG(os.fstat(stream.fileno()).st_mode)
    )


def _blocks_of_file(descriptor: int, start: int, end: int) -> Generator[bytes, None, int]:
    """Blocks of whole lines, each read just as it is: nothing has to be copied. Returns where they end.

    That is before the last block or a line that is longer than one, and where the file was cut meanwhile.
    """
    while end - start > BLOCK_BYTES:
        cut = 0
        for peek in (min(PEEK_BYTES, BLOCK_BYTES), BLOCK_BYTES):
            above = start + BLOCK_BYTES - peek
            if cut := os.pread(descriptor, peek, above).rfind(b"\n") + 1:
                break
        block = os.pread(descriptor, above + cut - start, start) if cut else b""
        if not block or len(block) < above + cut - start:
            break
        yield block
        start += len(block)
    return start


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
    from auditsvc.ingest.xz import Unxz

    return BufferedReader(Unxz(file), BLOCK_BYTES)


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
