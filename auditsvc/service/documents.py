"""The swagger documents and endpoint lists that the store holds, and what is put into it."""

from collections.abc import Callable
from datetime import datetime

from auditsvc.core.endpoints import EndpointList, parse_endpoint_list
from auditsvc.core.swagger import Level, Operation, minor_version, parse_swagger
from auditsvc.errors import NotFoundError
from auditsvc.service.coverage import record_coverage
from auditsvc.store import Store
from auditsvc.store.lists import ListKind, ListRecord
from auditsvc.store.swaggers import SwaggerRecord


class Documents:
    """Swagger documents and endpoint lists."""

    def __init__(self, store: Store, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._clock = clock

    def put_swagger(
        self, version: str, document: bytes, *, holds_from: datetime | None = None
    ) -> SwaggerRecord:
        """Makes a document the swagger of a version, from now on or from ``holds_from``.

        ParseError where it is no swagger, RequestError where the version is none; nothing is kept then.
        """
        swagger = parse_swagger(document)
        now = self._clock()
        with self._store.transaction():
            digest = self._store.swaggers.keep(document, swagger, recorded=now)
            record = self._store.swaggers.hold(version, digest, holds_from=holds_from or now, recorded=now)
            record_coverage(self._store, now=now)
        return record

    def swaggers(self) -> list[SwaggerRecord]:
        """The uploads, the highest version first."""
        return self._store.swaggers.all()

    def operations(
        self,
        version: str,
        *,
        level: Level | None = None,
        group: str | None = None,
        text: str | None = None,
        limit: int,
        offset: int = 0,
    ) -> tuple[list[Operation], int]:
        """A version's operations by id, of that level and group, with ``text`` in the id in any case.

        NotFoundError where no swagger of that minor version is stored.
        """
        minor = minor_version(version)
        held = self._store.swaggers.holding(minor, self._clock()) if minor else None
        if held is None:
            raise NotFoundError(f"unknown swagger: {version} (GET /swagger lists them)")
        found = [
            operation
            for operation in sorted(self._store.swaggers.catalogue(held.hash), key=lambda one: one.id)
            if level in (None, operation.level)
            and group in (None, operation.group)
            and (text or "").lower() in operation.id.lower()
        ]
        return found[offset : offset + limit], len(found)

    def put_list(self, kind: ListKind, text: bytes, *, holds_from: datetime | None = None) -> ListRecord:
        """Makes a text the list of its kind, from now on or from ``holds_from``.

        ParseError refuses it whole.
        """
        entries = parse_endpoint_list(text)
        now = self._clock()
        with self._store.transaction():
            digest = self._store.lists.keep(text, entries, recorded=now)
            record = self._store.lists.hold(kind, digest, holds_from=holds_from or now, recorded=now)
            record_coverage(self._store, now=now)
        return record

    def list_of(self, kind: ListKind, *, at: datetime | None = None) -> tuple[ListRecord, EndpointList]:
        """The list of that kind that holds now, or held at a time. NotFoundError where there is none."""
        held = self._store.lists.holding(kind, at or self._clock())
        if held is None:
            raise NotFoundError(
                f"no {kind} list is stored (PUT /lists/{kind}, or auditsvc lists {kind} FILE)"
            )
        return held, self._store.lists.get(held.hash)

    def lists(self, kind: ListKind) -> list[ListRecord]:
        """The uploads of that kind."""
        return self._store.lists.all(kind)
