"""Uploaded bodies: streamed to files of the spool folder, which are gone when the request ends."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, Any, cast

import flask
from werkzeug.datastructures import FileStorage

from auditsvc.errors import RequestError, StoreError, TooLargeError
from auditsvc.ingest import Log
from auditsvc.service.runs import RunUpload
from auditsvc.web.blueprint import service

MULTIPART = "multipart/form-data"
MAX_DOCUMENT_BYTES = 64 << 20
"""The most that an unpacked swagger document or list may have: these are parsed in memory."""

_DOCUMENTS = ("swagger", "pending", "ineligible")
_BLOCK_BYTES = 1 << 20


@contextmanager
def _writing() -> Iterator[None]:
    """What hinders writing to the spool folder, such as a full disk, is a StoreError."""
    try:
        yield
    except OSError as error:
        raise StoreError(f"cannot keep the upload in {service.spool}: {error.strerror or error}") from error


class SpoolingRequest(flask.Request):
    """A request that keeps what is uploaded in files of the spool folder until it ends."""

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
        for file in self._spooled:
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
    return Log.at(Path(file.name), name="request body")


def _document(name: str, stored: str | None) -> bytes | str | None:
    """The part of that name, else the hash of a stored document."""
    parts = request.files.getlist(name)
    if len(parts) + (stored is not None) > 1:
        raise RequestError(f"{name}: given more than once; send one part or one hash")
    return _unpacked(_part(parts[0])) if parts else stored


def _part(part: FileStorage) -> Log:
    part.stream.flush()
    return Log.at(Path(cast(str, part.stream.name)), name=part.filename or part.name)


def _unpacked(packed: Log) -> bytes:
    with packed.opened() as stream:
        document = stream.read(MAX_DOCUMENT_BYTES + 1)
    if len(document) > MAX_DOCUMENT_BYTES:
        raise TooLargeError(f"{packed.name}: larger than {MAX_DOCUMENT_BYTES} bytes")
    return document
