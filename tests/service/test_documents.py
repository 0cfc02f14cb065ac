from datetime import timedelta

import pytest

from auditsvc.core.swagger import Level
from auditsvc.errors import NotFoundError, ParseError, RequestError
from auditsvc.service import Service
from auditsvc.store.lists import ListKind
from tests.logs import NOON
from tests.service.made import API, document, listing, move_clock


class TestSwaggers:
    """The swagger documents."""

    def test_put(self, empty: Service) -> None:
        """A document holds from now on, or from the time that is named."""
        record = empty.documents.put_swagger("v1.34.0", document())
        assert (record.version, record.operations) == ("v1.34.0", len(API))
        assert (record.holds_from, record.recorded) == (empty.clock(), empty.clock())
        older = empty.documents.put_swagger("v1.9.0", document("listPod"), holds_from=NOON)
        assert (older.holds_from, older.recorded) == (NOON, empty.clock())
        assert empty.documents.swaggers() == [record, older]

    @pytest.mark.parametrize(
        ("version", "text", "error"),
        [
            ("v1.34.0", b"", ParseError),
            ("v1.34.0", b"{}", ParseError),
            ("v1.34.0", document()[:-2], ParseError),
            ("latest", document(), RequestError),
            ("", document(), RequestError),
        ],
    )
    def test_refused(self, version: str, text: bytes, error: type[Exception], empty: Service) -> None:
        """What is no swagger, or has no version, is refused whole."""
        with pytest.raises(error):
            empty.documents.put_swagger(version, text)
        assert empty.documents.swaggers() == []
        assert not empty.store.swaggers.received()

    @pytest.mark.parametrize(
        ("filters", "expected"),
        [
            ({}, sorted(API)),
            ({"level": Level.BETA}, ["listCron"]),
            ({"group": "batch"}, []),
            ({"text": "LIST"}, ["listCron", "listJob", "listPod"]),
            ({"text": "list", "level": Level.STABLE}, ["listJob", "listPod"]),
            ({"text": "nothing"}, []),
        ],
    )
    def test_operations(self, filters: dict[str, str], expected: list[str], service: Service) -> None:
        """The operations of a version, by id, narrowed down."""
        found, total = service.documents.operations("v1.34.0", **filters, limit=99)  # type: ignore[arg-type]
        assert ([one.id for one in found], total) == (expected, len(expected))

    def test_pages(self, service: Service) -> None:
        """They come in pages; any version of that minor one will do."""
        names = sorted(API)
        for offset in (0, 2, 4, 6):
            found, total = service.documents.operations("1.34.7", limit=2, offset=offset)
            assert ([one.id for one in found], total) == (names[offset : offset + 2], len(names))

    @pytest.mark.parametrize("version", ["v1.35.0", "newest", ""])
    def test_unknown_version(self, version: str, service: Service) -> None:
        """A version that is not stored is unknown."""
        with pytest.raises(NotFoundError, match=rf"^unknown swagger: {version} \(GET /swagger lists them\)$"):
            service.documents.operations(version, limit=1)

    def test_newest_of_its_minor_version(self, service: Service) -> None:
        """The upload that holds now speaks for its minor version; one that holds from later on does not."""
        service.documents.put_swagger("v1.34.1", document("listPod"))
        service.documents.put_swagger(
            "v1.34.2", document("listJob"), holds_from=service.clock() + timedelta(days=1)
        )
        assert [one.id for one in service.documents.operations("v1.34.0", limit=9)[0]] == ["listPod"]
        move_clock(service, timedelta(days=2))
        assert [one.id for one in service.documents.operations("v1.34.0", limit=9)[0]] == ["listJob"]


class TestLists:
    """The endpoint lists."""

    def test_put(self, empty: Service) -> None:
        """A list holds from now on until the next one; the one that held at a time can be asked for."""
        first = empty.documents.put_list(ListKind.PENDING, listing("listPod", "readPod"))
        move_clock(empty)
        second = empty.documents.put_list(ListKind.PENDING, b"- listJob")
        assert (first.entries, second.entries) == (2, 1)
        assert empty.documents.lists(ListKind.PENDING) == [second, first]
        record, entries = empty.documents.list_of(ListKind.PENDING)
        assert (record, set(entries.names)) == (second, {"listJob"})
        record, entries = empty.documents.list_of(ListKind.PENDING, at=first.holds_from)
        assert (record, set(entries.names)) == (first, {"listPod", "readPod"})
        assert empty.documents.list_of(ListKind.PENDING, at=NOON - timedelta(days=999))[0] == first

    @pytest.mark.parametrize("text", [b"a: b", b"- [", b"\xff", b"- a\n--- \n- b"])
    def test_refused(self, text: bytes, service: Service) -> None:
        """A list that does not parse is refused whole; the one before still holds."""
        before = service.documents.list_of(ListKind.INELIGIBLE)
        with pytest.raises(ParseError):
            service.documents.put_list(ListKind.INELIGIBLE, text)
        assert service.documents.list_of(ListKind.INELIGIBLE) == before

    @pytest.mark.parametrize("kind", ListKind)
    def test_none(self, kind: ListKind, empty: Service) -> None:
        """A list that was never given is told, and how to give it."""
        with pytest.raises(
            NotFoundError, match=rf"^no {kind} list is stored \(PUT /lists/{kind}, or auditsvc"
        ):
            empty.documents.list_of(kind)
        assert empty.documents.lists(kind) == []
