"""Uploaded bodies: streamed to files of the spool folder, which are gone when the request ends.

Each limit is enforced where the bytes pass: how many the body has by werkzeug, the time in which they arrive
by the stream here, and what they unpack to by the log that they are.
"""

import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from tempfile import NamedTemporaryFile
from threading import Timer
from typing import IO, Any, cast

import flask
from werkzeug.datastructures import FileStorage
from werkzeug.exceptions import HTTPException

from auditsvc.errors import RequestError, StoreError, TooLargeError, TooSlowError
from auditsvc.ingest import Log
from auditsvc.service.runs import RunUpload
from auditsvc.web.blueprint import service

MULTIPART = "multipart/form-data"
MAX_DOCUMENT_BYTES = 64 << 20
"""The most that an unpacked swagger document or list may have: these are parsed in memory."""

_DOCUMENTS = ("swagger", "pending", "ineligible", "policy")
_BLOCK_BYTES = 1 << 20


@contextmanager
def _writing() -> Iterator[None]:
    """What hinders writing to the spool folder, such as a full disk, is a StoreError."""
    try:
        yield
    except OSError as error:
        raise StoreError(f"cannot keep the upload in {service.spool}: {error.strerror or error}") from error


class _Arriving:
    """A body that must have arrived in a time, however slowly its client sends.

    A thread that waits for the client cannot look at a clock: when the time is over, another one ends the
    reading side of the connection, and so the wait. The answer still goes out.
    """

    def __init__(self, stream: IO[bytes], connection: socket.socket | None, limit: timedelta) -> None:
        self._stream = stream
        self._connection = connection
        self._limit = limit
        self._late = False
        self._timer = Timer(limit.total_seconds(), self._give_up)
        self._timer.daemon = True
        self._timer.start()

    def read(self, size: int = -1) -> bytes:
        """As a file's. TooSlowError where the time is over, RequestError where the body breaks off."""
        try:
            data = self._stream.read(size)
        except Exception as error:
            if not self._late and isinstance(error, HTTPException):
                raise
            raise self._problem() from error
        if self._late:
            raise self._problem()
        if not data:
            self.close()
        return data

    def close(self) -> None:
        """Stops the clock."""
        self._timer.cancel()

    def _give_up(self) -> None:
        self._late = True
        if self._connection is not None:
            with suppress(OSError):  # the client is gone
                self._connection.shutdown(socket.SHUT_RD)

    def _problem(self) -> RequestError:
        if self._late:
            seconds = f"{self._limit.total_seconds():g}"
            return TooSlowError(f"body: did not arrive within {seconds} s (max_upload_time)")
        return RequestError("body: broken off, or not in the form that its headers say")


class SpoolingRequest(flask.Request):
    """A request that keeps what is uploaded in files of the spool folder until it ends."""

    _arriving: _Arriving | None = None

    @cached_property
    def stream(self) -> IO[bytes]:
        """The body, which has to arrive in time."""
        connection = self.environ.get("gunicorn.socket")
        self._arriving = _Arriving(super().stream, connection, service.config.max_upload_time)
        return cast(IO[bytes], self._arriving)

    @cached_property
    def _spooled(self) -> list[IO[bytes]]:
        return []

    def open_spool_file(self) -> IO[bytes]:
        """A new file. Raises StoreError."""
        with _writing():
            service.spool.mkdir(mode=0o700, exist_ok=True)
            file = cast(IO[bytes], NamedTemporaryFile(dir=service.spool))  # noqa: SIM115 - close() closes it
        self._spooled.append(file)
        return file

    def _get_file_stream(self, *_args: Any, **_kwargs: Any) -> IO[bytes]:
        """Where werkzeug writes a file part of a multipart body."""
        return self.open_spool_file()

    def _load_form_data(self) -> None:
        """Where werkzeug reads a form."""
        with _writing():
            super()._load_form_data()

    def close(self) -> None:
        """Removes the files."""
        super().close()
        if self._arriving:
            self._arriving.close()
        for file in self._spooled:
            with suppress(OSError):  # what a full disk did not take is of no use any more
                file.close()


request = cast(SpoolingRequest, flask.request)


def read_document() -> bytes:
    """The body as a document, unpacked where it is packed. Raises RequestError, InputError, TooLargeError."""
    request.max_content_length = min(MAX_DOCUMENT_BYTES, service.config.max_upload_bytes)
    return _unpacked(_body())


def read_upload(arguments: Mapping[str, Any]) -> RunUpload:
    """A run as it was uploaded: the body is its log, or the parts of a form are logs and documents."""
    if request.mimetype != MULTIPART:
        return RunUpload(logs=[_body()], **arguments)
    unknown = [name for name in request.files if name not in ("log", *_DOCUMENTS)]
    if unknown:
        raise RequestError(f"{unknown[0]}: unknown part (known are log, {', '.join(_DOCUMENTS)})")
    logs = [_part(file) for file in request.files.getlist("log")]
    if not logs:
        raise RequestError("log: missing: send the audit log as the part log, or as the whole body")
    documents = {name: _document(name, arguments.get(name)) for name in _DOCUMENTS}
    return RunUpload(logs=logs, **{**arguments, **documents})


def _body() -> Log:
    file = request.open_spool_file()
    with _writing():
        shutil.copyfileobj(request.stream, file, _BLOCK_BYTES)
        file.flush()
    size = file.tell()
    if not size:
        raise RequestError("body: empty, and this is where the upload belongs")
    # A server that ends the stream by itself does not tell a client that went away from one that was done.
    if request.content_length not in (None, size):
        raise RequestError(f"body: broken off after {size} of {request.content_length} bytes")
    return Log.at(Path(file.name), name="request body", limit=service.config.max_unpacked_bytes)


def _document(name: str, stored: str | None) -> bytes | str | None:
    """The part of that name, else the hash of a stored document."""
    parts = request.files.getlist(name)
    if len(parts) + (stored is not None) > 1:
        raise RequestError(f"{name}: given more than once; send one part or one hash")
    return _unpacked(_part(parts[0])) if parts else stored


def _part(part: FileStorage) -> Log:
    part.stream.flush()
    path, name = Path(cast(str, part.stream.name)), part.filename or part.name
    return Log.at(path, name=name, limit=service.config.max_unpacked_bytes)


def _unpacked(packed: Log) -> bytes:
    with packed.opened() as stream:
        document = stream.read(MAX_DOCUMENT_BYTES + 1)
    if len(document) > MAX_DOCUMENT_BYTES:
        raise TooLargeError(f"{packed.name}: larger than {MAX_DOCUMENT_BYTES} bytes")
    return document
