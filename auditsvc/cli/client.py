"""A running auditsvc, asked over HTTP."""

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any, Self

import msgspec
import requests

from auditsvc.core.results import AuditResult, FloatResult, MissingValue
from auditsvc.core.window import Window
from auditsvc.errors import FetchError
from auditsvc.fetch.http import session, why

_CONNECT_SECONDS = 10
_ANSWER_SECONDS = 3600
"""As long as an upload may be counted, or audits run."""

_PAGE = 1000
"""The most items that the API lists at once."""

_CHUNK_BYTES = 1 << 20
_KNOWN_FIELDS = {"Status", "Description", "LastRun", "MissingValues", "Checked", "Tolerance"}

Sent = Callable[[int], None]
"""Told how many more bytes were sent."""


class Client:
    """The API of a server; FetchError where it cannot be reached or refuses, with its own message."""

    def __init__(self, url: str, *, token: str | None) -> None:
        self._url = url.rstrip("/")
        self._token = token
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._session = self._stack.enter_context(session())
        if self._token is not None:
            # As auth and not as a header: requests would put what a .netrc says in that header's place.
            self._session.auth = self._authorized
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def upload(self, fields: Mapping[str, str], files: Sequence["Part"], *, sent: Sent) -> str:
        """Uploads a run and returns its id."""
        form = Form(fields, files, sent)
        answer = self._post("/runs", data=form, headers={"Content-Type": form.content_type})
        run_id: str = answer["id"]
        return run_id

    def audit(self, **parameters: Any) -> dict[Window, dict[str, AuditResult]]:
        """Runs audits, and returns the results of each day by key; what never ran is left out."""
        answer = self._post("/audit", params={**parameters, "wait": "true"})
        try:
            return dict(map(_read_set, answer))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise FetchError(
                f"{self._url} did not answer with AuditSets: is it of another version?"
            ) from error

    def pages(self, path: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        """The items of a list, page by page; none where the server is so old that it has no such list."""
        offset = 0
        items: list[dict[str, Any]] | None = None
        while items is None or len(items) == _PAGE:
            params = {**parameters, "limit": _PAGE, "offset": offset}
            answer = self._answer("GET", path, params=params)
            items = [] if answer.status_code == HTTPStatus.NOT_FOUND else self._data(answer)
            offset += len(items)
            yield from items

    def _post(self, path: str, **request: Any) -> Any:
        return self._data(self._answer("POST", path, **request))

    def _answer(self, method: str, path: str, **request: Any) -> requests.Response:
        timeout = (_CONNECT_SECONDS, _ANSWER_SECONDS)
        try:
            # A redirect would turn a POST into a GET, and lose what it says.
            return self._session.request(
                method, self._url + path, timeout=timeout, allow_redirects=False, **request
            )
        except requests.RequestException as error:
            raise FetchError(f"cannot reach {self._url}: {why(error)}") from error

    def _data(self, answer: requests.Response) -> Any:
        if answer.is_redirect:
            raise FetchError(f"{self._url} has moved: use {answer.headers['Location']}")
        try:
            envelope = answer.json()
            code, data = envelope["code"], envelope["data"]
        except (ValueError, KeyError, TypeError) as error:
            said = f"{answer.status_code} {answer.reason}"
            raise FetchError(f"{self._url} is no auditsvc: it answered {said}") from error
        if not answer.ok:
            unset = code == HTTPStatus.UNAUTHORIZED and self._token is None
            hint = " (AUDITSVC_TOKEN is not set)" if unset else ""
            raise FetchError(f"{self._url} answered {code}: {envelope.get('message')}{hint}")
        return data

    def _authorized(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class Part(msgspec.Struct, frozen=True):
    """A file of a form: under which name it is sent, what it is called, and its bytes or where they are."""

    name: str
    filename: str
    content: bytes | Path

    @property
    def size(self) -> int:
        """In bytes."""
        return self.content.stat().st_size if isinstance(self.content, Path) else len(self.content)

    def chunks(self) -> Iterator[bytes]:
        """The bytes, never all of a file's at once."""
        if isinstance(self.content, bytes):
            yield self.content
            return
        with self.content.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                yield chunk


class Form:
    """A multipart form (RFC 7578) that is read from its files while it is sent: a log may be large.

    requests' own has to hold all of it.
    """

    def __init__(self, fields: Mapping[str, str], files: Sequence[Part], sent: Sent) -> None:
        boundary = secrets.token_hex(16)
        self.content_type = f"multipart/form-data; boundary={boundary}"
        self._sent = sent
        self._fields = [(_head(boundary, name), text.encode()) for name, text in fields.items()]
        self._files = [(_head(boundary, part.name, part.filename), part) for part in files]
        self._end = f"--{boundary}--\r\n".encode()

    def __len__(self) -> int:
        fields = sum(len(head) + len(text) + 2 for head, text in self._fields)
        return fields + sum(len(head) + part.size + 2 for head, part in self._files) + len(self._end)

    def __iter__(self) -> Iterator[bytes]:
        for head, text in self._fields:
            yield head + text + b"\r\n"
        for head, part in self._files:
            yield head
            for chunk in part.chunks():
                yield chunk
                self._sent(len(chunk))
            yield b"\r\n"
        yield self._end


def _head(boundary: str, name: str, filename: str | None = None) -> bytes:
    disposition = f'form-data; name="{name}"'
    if filename is not None:
        # As browsers do (WHATWG's "multipart/form-data encoding algorithm").
        quoted = filename.replace("\n", "%0A").replace("\r", "%0D").replace('"', "%22")
        disposition += f'; filename="{quoted}"'
    return f"--{boundary}\r\nContent-Disposition: {disposition}\r\n\r\n".encode("utf-8", "replace")


def _read_set(audit_set: dict[str, Any]) -> tuple[Window, dict[str, AuditResult]]:
    bounds = audit_set.pop("window")
    window = Window(*(datetime.fromisoformat(bounds[name]) for name in ("start", "end")))
    return window, {key: _read_result(found) for key, found in audit_set.items() if found is not None}


def _read_result(found: dict[str, Any]) -> AuditResult:
    """A result from its JSON, which has room for neither details nor resolutions."""
    maps = {name: value for name, value in found.items() if name not in _KNOWN_FIELDS}
    missing = [MissingValue(value["Key"], value["Description"]) for value in found["MissingValues"] or ()]
    floats = tuple(_floats(maps))
    description: str = found["Description"]
    failed = found["Status"] == "Failed" and not floats
    return AuditResult(
        last_run=datetime.fromisoformat(found["LastRun"]),
        maps=tuple(maps),
        checked=found.get("Checked", 0),
        floats=floats,
        missing=tuple(missing),
        notes=(description,) if description and not failed else (),
        problem=description if failed else None,
        tolerance=found.get("Tolerance"),
    )


def _floats(tree: dict[str, Any], *path: str) -> Iterator[FloatResult]:
    for key, branch in tree.items():
        if branch.keys() == {"Expected", "Actual"} and not isinstance(branch["Actual"], dict):
            yield FloatResult(path[0], (*path[1:], key), branch["Expected"], branch["Actual"])
        else:
            yield from _floats(branch, *path, key)
