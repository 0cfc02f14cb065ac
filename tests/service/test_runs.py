import gzip
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import zstandard

import auditsvc.ingest.parts
from auditsvc.core.runs import Run, RunKind, RunResult
from auditsvc.core.window import Window
from auditsvc.errors import InputError, NotFoundError, ParseError, RequestError, TooLargeError
from auditsvc.ingest import Log
from auditsvc.service import Service
from auditsvc.service.runs import MAX_POLICY_BYTES, RunUpload
from auditsvc.store.lists import ListKind
from tests.logs import NOON, event
from tests.service.made import (
    DAY,
    EQUALITY,
    add_run,
    as_log,
    document,
    listing,
    log_of,
    log_text,
    put_documents,
    report_of,
    service_at,
)

PULL, CI = RunKind.PULL, RunKind.CI
POLICY = b"apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: Metadata\n  stages: [Panic]\n"
ORIGIN: dict[str, Any] = {
    "result": RunResult.FAILURE,
    "cluster": "kind",
    "job": "e2e",
    "build": "7",
    "pull": "17",
    "app": "shop",
    "revision": "4f6ad1c",
    "version": "v1.34.2",
}


def runs_of(service: Service) -> int:
    """How many runs are stored."""
    return service.runs.find(limit=1)[1]


def used(service: Service, run: Run) -> set[str]:
    """The operations that a run used."""
    return set(service.store.runs.usage(run.id).operations)


def write_report(folder: Path, *operations: str) -> Log:
    """Another tool's report in a file: a stream is never taken for one."""
    file = folder / "audit-endpoints.txt"
    file.write_bytes(report_of(*operations))
    return Log.at(file)


class TestAdd:
    """Taking a run in."""

    def test_log(self, service: Service) -> None:
        """A run is stored with all of its origin and what it used, samples too."""
        upload = RunUpload(kind=PULL, logs=[log_of("listPod", "listPod", "readPod")], **ORIGIN)
        run, new = service.runs.add(upload)
        assert new
        assert run == service.runs.get(run.id)
        assert {name: getattr(run, name) for name in ORIGIN} == ORIGIN
        assert (run.kind, run.started, run.finished) == (PULL, NOON, NOON + timedelta(seconds=2))
        assert (run.swagger, run.pending, run.ineligible) == (None, None, None)
        assert service.runs.summary(run.id).requests == 3
        used = service.runs.operation(run.id, "listPod")
        assert (used.hits, used.codes, len(used.samples)) == (2, {"2xx": 2}, 2)
        operations, total = service.runs.operations(run.id, limit=1, text="READ")
        assert ([one.id for one in operations], total) == (["readPod"], 1)
        assert operations[0].operation is not None

    def test_report(self, service: Service, tmp_path: Path) -> None:
        """Another tool's report is a run too; without times it is of its upload's, however often sent."""
        report = write_report(tmp_path, "listPod", "readPod")
        run, _ = service.runs.add(RunUpload(kind=CI, logs=[report], started=NOON, finished=NOON))
        assert service.runs.summary(run.id).imported
        timeless, _ = service.runs.add(RunUpload(kind=CI, logs=[report]))
        assert timeless.started == timeless.finished == service.clock()
        assert service.runs.add(RunUpload(kind=CI, logs=[report])) == (timeless, False)
        begun, _ = service.runs.add(RunUpload(kind=CI, logs=[report], started=NOON))
        assert begun.finished >= begun.started == NOON
        assert runs_of(service) == 3

    def test_report_without_swagger(self, empty: Service, tmp_path: Path) -> None:
        """It needs no swagger, for it was mapped already."""
        report = write_report(tmp_path, "listPod", "readPod")
        run, _ = empty.runs.add(RunUpload(kind=CI, logs=[report], started=NOON, finished=NOON))
        assert (run.version, used(empty, run)) == (None, {"listPod", "readPod"})

    def test_times(self, service: Service) -> None:
        """Start and end are the first and last event's, unless they are told."""
        told: dict[str, Any] = {
            "started": NOON - timedelta(hours=2),
            "finished": NOON + timedelta(hours=1),
        }
        for given in ({}, {"started": told["started"]}, {"finished": told["finished"]}, told):
            run, new = service.runs.add(RunUpload(kind=CI, logs=[log_of("listPod", "readPod")], **given))
            assert new
            seen = {"started": NOON, "finished": NOON + timedelta(seconds=1)}
            assert {"started": run.started, "finished": run.finished} == seen | given

    @pytest.mark.parametrize(
        ("times", "message"),
        [
            ({"started": NOON, "finished": NOON - timedelta(seconds=1)}, "finished: before started"),
            ({"started": NOON + timedelta(hours=1)}, "finished: before started"),
            ({"finished": NOON - timedelta(hours=1)}, "finished: before started"),
            ({"finished": datetime(9999, 12, 31, 12, tzinfo=UTC)}, "the calendar ends"),
        ],
    )
    def test_impossible_times(self, times: dict[str, Any], message: str, service: Service) -> None:
        """A run ends after it started, on a day that the calendar has."""
        with pytest.raises(RequestError, match=message):
            service.runs.add(RunUpload(kind=CI, logs=[log_of("listPod")], **times))
        assert runs_of(service) == 0
        assert service.audits.sets() == []

    def test_log_from_the_end_of_time(self, service: Service) -> None:
        """Nor can a log lead there."""
        text = event(requestReceivedTimestamp="9999-12-31T00:00:00Z", stageTimestamp="9999-12-31T23:00:00Z")
        with pytest.raises(RequestError, match="the calendar ends"):
            service.runs.add(RunUpload(kind=CI, logs=[as_log(text)]))
        assert service.audits.sets() == []

    @pytest.mark.parametrize("text", [b"", b"x\n", gzip.compress(log_text("listPod"))[:-9]])
    def test_bad_log(self, text: bytes, service: Service) -> None:
        """A log that cannot be counted leaves nothing behind, and its documents neither."""
        upload = RunUpload(
            kind=CI, logs=[as_log(text)], swagger=document("listPod"), pending=listing("readPod")
        )
        before = service.documents.swaggers()
        with pytest.raises(InputError):
            service.runs.add(upload)
        assert (runs_of(service), service.documents.swaggers()) == (0, before)

    def test_progress(self, service: Service) -> None:
        """Whoever watches is told as the events are read."""
        told: list[tuple[int, int]] = []
        text = log_text("listPod", "readPod")
        service.runs.add(RunUpload(kind=CI, logs=[as_log(text)]), progress=lambda *step: told.append(step))
        assert sum(events for _, events in told) == 2


class TestVersion:
    """Of which version a run is, and what its requests are mapped with."""

    def test_newest_swagger(self, empty: Service) -> None:
        """A run that names no version is of the highest stored, though a release's document names none."""
        for version, operations in (("v1.9.0", ["listPod"]), ("v1.34.0", ["listPod", "readPod"])):
            empty.documents.put_swagger(version, document(*operations), holds_from=NOON - timedelta(days=1))
        run = add_run(empty, CI, "listPod", "readPod", "listJob")
        assert run.version == "v1.34.0"
        assert used(empty, run) == {"listPod", "readPod"}

    def test_swagger_of_its_version(self, service: Service) -> None:
        """One that names a version is mapped with the swagger of that minor version."""
        service.documents.put_swagger("v1.35.0", document("listJob"))
        run = add_run(service, CI, "listPod", "listJob", version="1.35")
        assert (run.version, used(service, run)) == ("1.35", {"listJob"})

    def test_swagger_that_held(self, service: Service) -> None:
        """And with the one that held when it finished."""
        service.documents.put_swagger("v1.34.9", document("listJob"), holds_from=NOON)
        early = add_run(service, CI, "listPod", hours=-1)
        late = add_run(service, CI, "listPod", hours=1)
        assert used(service, early) == {"listPod"}
        assert used(service, late) == set()
        assert (early.version, late.version) == ("v1.34.0", "v1.34.9")

    @pytest.mark.parametrize(
        ("document_version", "version", "expected"),
        [("v1.20.2", None, "v1.20.2"), ("v1.20.2", "v1.21", "v1.21"), ("unversioned", None, None)],
    )
    def test_own_swagger(
        self, document_version: str, version: str | None, expected: str | None, service: Service
    ) -> None:
        """A swagger that the run brings is its own, and of the version that the document names."""
        own = document("listJob", version=document_version)
        run = add_run(service, CI, "listPod", "listJob", swagger=own, version=version)
        assert (run.version, used(service, run)) == (expected, {"listJob"})
        assert run.swagger is not None
        assert service.store.swaggers.document(run.swagger) == own

    @pytest.mark.parametrize("swagger", [None, document()])
    def test_no_version(self, swagger: bytes | None, service: Service) -> None:
        """What is no version is refused, also beside a swagger."""
        upload = RunUpload(kind=CI, logs=[log_of("listPod")], version="newest", swagger=swagger)
        with pytest.raises(RequestError, match=r"^version: newest is none"):
            service.runs.add(upload)

    @pytest.mark.parametrize("version", [None, "v1.99.0"])
    def test_no_swagger(self, version: str | None, empty: Service) -> None:
        """Without a swagger of its version a log cannot be mapped."""
        if version is not None:
            put_documents(empty)
        with pytest.raises(RequestError, match="no swagger of that version is stored"):
            empty.runs.add(RunUpload(kind=CI, logs=[log_of("listPod")], version=version))


class TestDocuments:
    """What a run brings."""

    def test_kept(self, service: Service) -> None:
        """Its documents are kept with it, and hold for nobody else."""
        own: dict[str, Any] = {
            "swagger": document("listPod"),
            "pending": listing("readPod"),
            "ineligible": listing("listJob"),
        }
        before = service.documents.swaggers(), service.documents.list_of(ListKind.PENDING)
        run = add_run(service, CI, "listPod", **own)
        assert run.pending is not None
        assert run.ineligible is not None
        assert service.store.lists.text(run.pending) == own["pending"]
        assert service.store.lists.text(run.ineligible) == own["ineligible"]
        assert (service.documents.swaggers(), service.documents.list_of(ListKind.PENDING)) == before

    def test_named_by_hash(self, service: Service) -> None:
        """It may name documents that are there."""
        swagger = service.documents.swaggers()[0].hash
        pending = service.documents.list_of(ListKind.PENDING)[0].hash
        run = add_run(service, CI, "listPod", swagger=swagger, pending=pending, ineligible=pending)
        assert (run.swagger, run.pending, run.ineligible) == (swagger, pending, pending)

    def test_policy(self, service: Service) -> None:
        """Its audit policy is kept with it, mistakes and all; another run may name it by its hash."""
        run = add_run(service, CI, "listPod", policy=POLICY)
        assert run.policy is not None
        assert service.store.policies.text(run.policy) == POLICY.decode()
        other = add_run(service, PULL, "listPod", policy=run.policy)
        assert service.runs.get(other.id).policy == run.policy

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            (b"rules:\n- }", "^policy: line 2, column 3: not YAML"),
            (b"- a", "^policy: line 1, column 1: expected a policy: a mapping"),
            (b"", "^policy: line 1: an empty document"),
            (b"kind: \xff", "^policy: line 1, column 7: not UTF-8"),
            (b"kind: Policy\nkind: Policy", "^policy: line 2, column 1: a second kind in one policy"),
            (b"#" * MAX_POLICY_BYTES + b"\n", "^policy: larger than 65536 bytes"),
        ],
    )
    def test_bad_policy(self, text: bytes, message: str, service: Service) -> None:
        """What is no policy is refused with the whole run, its lists too."""
        before = service.store.lists.text(service.documents.list_of(ListKind.PENDING)[0].hash)
        upload = RunUpload(kind=CI, logs=[log_of("listPod")], pending=listing("new"), policy=text)
        with pytest.raises((ParseError, TooLargeError), match=message):
            service.runs.add(upload)
        assert runs_of(service) == 0
        with pytest.raises(NotFoundError):
            service.store.lists.text(sha256(listing("new")).hexdigest())
        with pytest.raises(NotFoundError):
            service.store.policies.text(sha256(text).hexdigest())
        assert before == listing("deletePod")

    @pytest.mark.parametrize("name", ["swagger", "pending", "ineligible", "policy"])
    def test_unknown_hash(self, name: str, service: Service) -> None:
        """And none that are not."""
        with pytest.raises(NotFoundError, match=f"^unknown .*: {'0' * 64}"):
            service.runs.add(RunUpload(kind=CI, logs=[log_of("listPod")], **{name: "0" * 64}))  # type: ignore[arg-type]
        assert runs_of(service) == 0

    @pytest.mark.parametrize(
        ("name", "text"), [("swagger", b"{}"), ("pending", b"a: b"), ("ineligible", b"- [")]
    )
    def test_bad_document(self, name: str, text: bytes, service: Service) -> None:
        """One that does not parse is refused with the whole run."""
        good = {"swagger": document("listPod"), "pending": listing("a"), "ineligible": listing("b")}
        with pytest.raises(ParseError):
            service.runs.add(RunUpload(kind=CI, logs=[log_of("listPod")], **(good | {name: text})))  # type: ignore[arg-type]
        assert runs_of(service) == 0
        assert len(service.documents.swaggers()) == 1


class TestSameContent:
    """The same content is the same run."""

    @pytest.fixture
    def text(self) -> bytes:
        """A log with something of everything."""
        names = ["listPod", "readPod", "createPod", "listJob", "listCron"] * 100
        return log_text(*names) + b"x\n" + event("w", "ResponseStarted", received=501)

    def add(self, service: Service, logs: Sequence[Log], **origin: Any) -> tuple[str, bool]:
        """Takes the logs in."""
        run, new = service.runs.add(RunUpload(kind=CI, logs=logs, **origin))
        return run.id, new

    @pytest.mark.parametrize(
        "pack", [bytes, gzip.compress, zstandard.compress], ids=["plain", "gzip", "zstd"]
    )
    def test_packing(self, pack: Callable[[bytes], bytes], text: bytes, service: Service) -> None:
        """However it is packed."""
        first, new = self.add(service, [as_log(text)])
        assert new
        assert self.add(service, [as_log(pack(text))]) == (first, False)
        assert runs_of(service) == 1

    def test_jobs_and_files(self, text: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """However many processes count it, however its files are called, cut and given."""
        monkeypatch.setattr(auditsvc.ingest.parts, "SMALLEST_PART", 1)
        middle = text.index(b"\n", len(text) // 2) + 1
        for name, part in (("whole.log", text), ("b.log", text[:middle]), ("a.log", text[middle:])):
            (tmp_path / name).write_bytes(part)
        whole, first, second = (Log.at(tmp_path / name) for name in ("whole.log", "b.log", "a.log"))
        ids = set()
        for jobs in (1, 2):
            with service_at(tmp_path / f"data{jobs}", jobs=jobs) as service:
                put_documents(service)
                ids |= {self.add(service, logs)[0] for logs in ([whole], [first, second], [second, first])}
                assert runs_of(service) == 1
        assert len(ids) == 1

    @pytest.mark.parametrize(
        "change",
        [
            {"cluster": "other"},
            {"build": "8"},
            {"result": RunResult.ABORTED},
            {"finished": NOON + timedelta(days=1)},
            {"swagger": document()},
            {"pending": listing()},
            {"policy": POLICY},
        ],
    )
    def test_other_content(self, change: dict[str, Any], text: bytes, service: Service) -> None:
        """Another origin is another run, and so is another document."""
        first, _ = self.add(service, [as_log(text)])
        other, new = self.add(service, [as_log(text)], **change)
        assert (new, other != first) == (True, True)

    def test_other_requests(self, text: bytes, service: Service) -> None:
        """Another request more or less is another run, though it be of nothing."""
        unmapped = [event("u", uri="/healthz", code=code, received=501) for code in (200, 500)]
        ids = {self.add(service, [as_log(text + more)])[0] for more in (b"", b"y\n", *unmapped)}
        assert len(ids) == 4

    def test_id(self, text: bytes, service: Service) -> None:
        """An id says its kind, and is the one that the same content had in releases before."""
        assert self.add(service, [as_log(text)]) == ("ci-92fe1eeca9cf", True)


class TestFind:
    """Looking for runs."""

    def test_filters(self, service: Service) -> None:
        """By origin and day, the last finished first, in pages."""
        runs = [
            add_run(service, CI if n % 2 else PULL, "listPod", hours=24 * n, pull=str(n)) for n in range(4)
        ]
        assert service.runs.find(limit=9) == (runs[::-1], 4)
        assert service.runs.find(limit=1, offset=1) == ([runs[2]], 4)
        assert service.runs.find(limit=9, kind=CI) == ([runs[3], runs[1]], 2)
        assert service.runs.find(limit=9, pull="2") == ([runs[2]], 1)
        assert service.runs.find(limit=9, finished_in=DAY) == ([runs[0]], 1)
        span = Window(DAY.start, DAY.end + timedelta(days=1))
        assert service.runs.find(limit=9, kind=CI, finished_in=span) == ([runs[1]], 1)

    def test_unknown(self, service: Service) -> None:
        """A run that is not there is unknown to everything."""
        asked: list[Callable[[], object]] = [
            lambda: service.runs.get("x"),
            lambda: service.runs.summary("x"),
            lambda: service.runs.operations("x", limit=1),
            lambda: service.runs.operation("x", "listPod"),
            lambda: service.runs.results("x"),
            lambda: service.runs.compare("x"),
            lambda: service.runs.delete("x"),
        ]
        for ask in asked:
            with pytest.raises(NotFoundError, match=r"^unknown run: x \(GET /runs lists them\)$"):
                ask()


class TestCompare:
    """A run beside another one."""

    def test_baseline(self, service: Service) -> None:
        """By itself a run is compared with its baseline."""
        baseline = add_run(service, CI, "listPod", "readPod", hours=-1)
        pull = add_run(service, PULL, "listPod", "listPod", "listJob")
        other, comparison = service.runs.compare(pull.id)
        assert other == baseline
        assert [(one.id, one.hits) for one in comparison.added] == [("listJob", 1)]
        assert [(one.id, one.baseline_hits) for one in comparison.removed] == [("readPod", 1)]
        assert [(one.id, one.hits, one.baseline_hits) for one in comparison.changed] == [("listPod", 2, 1)]
        assert all(one.operation is not None for one in comparison.added)

    def test_named_run(self, service: Service) -> None:
        """Any two runs can be compared; each is known by the first one's swagger."""
        other = add_run(service, PULL, "listPod", "listJob")
        run = add_run(service, RunKind.APP, "listPod", swagger=document("listPod"))
        found, comparison = service.runs.compare(run.id, other.id)
        assert found == other
        assert [(one.id, one.operation) for one in comparison.removed] == [("listJob", None)]
        assert comparison.unchanged == 1
        with pytest.raises(NotFoundError, match=r"^unknown run: x "):
            service.runs.compare(run.id, "x")

    def test_without_swagger(self, empty: Service, tmp_path: Path) -> None:
        """Two reports can be compared where no swagger is."""
        ids = []
        for number, names in enumerate((("a", "b"), ("b", "c"))):
            report = write_report(tmp_path, *names)
            finished = NOON + timedelta(hours=number)
            run, _ = empty.runs.add(RunUpload(kind=CI, logs=[report], started=NOON, finished=finished))
            ids.append(run.id)
        other, comparison = empty.runs.compare(ids[1])
        assert other.id == ids[0]
        assert [one.id for one in comparison.added] == ["c"]

    def test_no_baseline(self, service: Service) -> None:
        """Where no CI run can be the baseline, it is said why."""
        add_run(service, CI, "listPod", hours=-24 * 8)
        pull = add_run(service, PULL, "listPod")
        with pytest.raises(
            NotFoundError, match=f"^no baseline for pull run {pull.id}: the nearest .* is 8 d away"
        ):
            service.runs.compare(pull.id)


class TestDelete:
    """Deleting a run."""

    def test_delete(self, service: Service) -> None:
        """It goes with its results and with what it alone brought; others stay."""
        own = document("listPod")
        shared = listing("readPod")
        run = add_run(service, PULL, "listPod", swagger=own, pending=shared, policy=POLICY)
        other = add_run(service, PULL, "listPod", hours=1, pending=shared)
        service.audits.run(None, [EQUALITY], run_id=run.id)
        service.runs.delete(run.id)
        with pytest.raises(NotFoundError):
            service.runs.get(run.id)
        assert run.swagger is not None
        assert other.pending is not None
        with pytest.raises(NotFoundError):
            service.store.swaggers.document(run.swagger)
        assert run.policy is not None
        with pytest.raises(NotFoundError):
            service.store.policies.text(run.policy)
        assert service.store.lists.text(other.pending) == shared
        assert service.runs.find(limit=9) == ([other], 1)
        again = add_run(service, PULL, "listPod", swagger=own, pending=shared, policy=POLICY)
        assert (again.id, service.runs.results(again.id)) == (run.id, [])
