"""A Google Cloud Storage of our own: the part of its JSON API that we use, over HTTP, with its bad days."""

import json
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import md5
from typing import Any

from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

BUCKET = "kubernetes-ci-logs"

Handler = Callable[[Request, bytes], Response]


@dataclass
class FakeGcs:
    """Objects by name in one bucket. ``faults`` are what happens instead, for an object's next requests."""

    server: HTTPServer
    objects: dict[str, bytes] = field(default_factory=dict)
    headers: dict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))
    faults: dict[str, list[Handler]] = field(default_factory=lambda: defaultdict(list))
    page_size: int = 2
    requests: list[Request] = field(default_factory=list)
    ending: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        """What ``gcs_endpoint`` is to be."""
        return self.server.url_for("").rstrip("/")

    @property
    def asked(self) -> list[str]:
        """The names of the objects that were asked for, in order; listings are the prefix and a ``*``."""
        return [
            f"{request.args['prefix']}*"
            if "prefix" in request.args
            else request.path.partition(BUCKET)[2][1:]
            for request in self.requests
        ]

    def put(self, objects: Mapping[str, bytes | dict[str, Any]], *, below: str = "") -> None:
        """Adds objects; a mapping is one of JSON."""
        for name, content in objects.items():
            text = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.objects[below + name] = text

    def answer(self, request: Request) -> Response:
        """Answers as the service does."""
        self.requests.append(request)
        listing = f"/storage/v1/b/{BUCKET}/o"
        name = "*" if request.path == listing else request.path.removeprefix(f"/{BUCKET}/")
        content = self.objects.get(name, b"")
        if self.faults[name]:
            return self.faults[name].pop(0)(request, content)
        if request.path == listing:
            return self._list(**request.args.to_dict())
        if name not in self.objects:
            return Response("No such object", 404)
        return ranged(request, content, self.headers[name])

    def _list(
        self,
        prefix: str = "",
        delimiter: str = "",
        startOffset: str = "",  # noqa: N803 - the API's own names
        pageToken: str = "",  # noqa: N803
        fields: str = "",
    ) -> Response:
        found: dict[str, str] = {}
        for name in self.objects:
            if name.startswith(prefix):
                inner, slash, _ = name.removeprefix(prefix).partition(delimiter or "\0")
                found[prefix + inner + slash] = "prefixes" if slash else "items"
        names = sorted(name for name in found if name >= startOffset and name > pageToken)
        page, rest = names[: self.page_size], names[self.page_size :]
        shown: dict[str, Any] = {
            "prefixes": [name for name in page if found[name] == "prefixes"],
            "items": [
                {"name": name, "size": str(len(self.objects[name]))}
                for name in page
                if found[name] == "items"
            ],
            "nextPageToken": page[-1] if rest else "",
        }
        wanted = fields.replace("(name,size)", "").split(",")
        return Response(json.dumps({name: shown[name] for name in wanted if shown[name]}))


def ranged(request: Request, content: bytes, headers: dict[str, str]) -> Response:
    """An object, or the rest of it where that is asked for and it is still the same."""
    headers = {"ETag": f'"{md5(content, usedforsecurity=False).hexdigest()}"', **headers}
    start = request.range.ranges[0][0] if request.range else 0
    if start and request.headers.get("If-Range") == headers["ETag"]:
        headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        return Response(content[start:], 206, headers)
    return Response(content, 200, headers)


def refuse(status: int = 503) -> Handler:
    """An answer of that status."""
    return lambda _request, _content: Response("not now", status)


def cut(after: int, **headers: str) -> Handler:
    """The connection is closed after so many bytes of what was asked for."""

    def answer(request: Request, content: bytes) -> Response:
        whole = ranged(request, content, headers)
        promised = {"Content-Length": str(len(whole.data))}
        return Response(iter([whole.data[:after]]), whole.status, {**whole.headers, **promised})

    return answer


def stall(after: int, ending: threading.Event) -> Handler:
    """Nothing more comes after so many bytes."""

    def answer(request: Request, content: bytes) -> Response:
        whole = ranged(request, content, {})

        def body() -> Iterator[bytes]:
            yield whole.data[:after]
            ending.wait(20)

        return Response(body(), whole.status, whole.headers)

    return answer


def drip(ending: threading.Event) -> Handler:
    """A byte comes now and then, for ever."""

    def answer(_request: Request, _content: bytes) -> Response:
        def body() -> Iterator[bytes]:
            while not ending.wait(0.05):
                yield b"x"

        return Response(body(), 200, {"Content-Length": str(1 << 30)})

    return answer
