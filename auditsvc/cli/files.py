"""The files that commands read and write."""

import os
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import TypeVar, cast

import click

from auditsvc.errors import ParseError
from auditsvc.fetch import read
from auditsvc.ingest import Log

_Parsed = TypeVar("_Parsed")


def open_logs(names: Sequence[str]) -> list[Log]:
    """The logs of those names, ``-`` being standard input; their file names name them where those differ."""
    if names.count("-") > 1:
        raise click.UsageError("standard input (-) can be read once")
    short = [Path(name).name or name for name in names]
    shown = short if len(set(short)) == len(short) else names
    return [_open_log(name, called) for name, called in zip(names, shown, strict=True)]


def _open_log(name: str, called: str) -> Log:
    if name == "-":
        return Log("standard input", None, cast(BufferedReader, sys.stdin.buffer))
    return Log.at(Path(name), name=called)


def read_parsed(source: str, parse: Callable[[bytes], _Parsed]) -> _Parsed:
    """A document from a path or URL, parsed; a ParseError names the document too."""
    with naming(source):
        return parse(read(source))


@contextmanager
def naming(source: str) -> Iterator[None]:
    """Puts the name of a document before what a ParseError says."""
    try:
        yield
    except ParseError as error:
        raise ParseError(f"{source}: {error}") from error


def write_whole(path: Path, text: str) -> None:
    """Writes a file all at once, with the old one's mode: whatever fails before leaves that as it was."""
    content = text.encode("utf-8", "backslashreplace")
    try:
        if path.exists() and not path.is_file():  # /dev/stdout and the like can only be written to
            path.write_bytes(content)
        else:
            _replace(path.resolve(), content)  # a link stays one
    except BrokenPipeError:
        raise
    except OSError as error:
        raise click.FileError(str(path), error.strerror) from error


def _replace(path: Path, content: bytes) -> None:
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_bytes(content)
        if path.exists():
            beside.chmod(stat.S_IMODE(path.stat().st_mode))
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
