"""Applications out of one log."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from auditsvc.core.requesters import SplitBy
from auditsvc.core.runs import RunKind
from auditsvc.errors import InputError, RequestError
from auditsvc.ingest import Log
from auditsvc.service import Service
from auditsvc.service.runs import LONGEST_APP, RunUpload
from tests.logs import event
from tests.service.made import as_log, put_documents, service_at

ACCOUNT = {"username": "system:serviceaccount:argocd:server"}
LINES = (
    event("a", agent="kubectl/v1.34", user={"username": "jane"}),
    event("b", agent="argocd/v3", user=ACCOUNT, objectRef={"namespace": "argocd"}, received=3600),
    b"no event\n",
    event("c", agent="argocd/v3", uri="/apis/batch/v1/jobs", user=ACCOUNT, received=3601),
    event("d", agent="argocd/v4", user=ACCOUNT, received=7200),
)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """A service that knows the small API."""
    with service_at(tmp_path) as service:
        put_documents(service)
        yield service


def part(text: bytes = b"".join(LINES), **only: str) -> RunUpload:
    """An app run that is part of a log."""
    return RunUpload(kind=RunKind.APP, app="x", logs=[as_log(text)], **only)  # type: ignore[arg-type]  # texts


class TestPart:
    """One application of a log."""

    @pytest.mark.parametrize(
        ("only", "requests"),
        [
            ({"agent": "argocd"}, 3),
            ({"agent": "argocd/v3"}, 2),
            ({"namespace": "argocd"}, 1),
            ({"service_account": "argocd:server"}, 3),
            ({"agent": "argocd/v4", "service_account": "argocd:server"}, 1),
        ],
    )
    def test_only_those(self, service: Service, only: dict[str, str], requests: int) -> None:
        """Only the requests that fit count, and whose lines are broken nobody knows."""
        run, new = service.runs.add(part(**only))  # type: ignore[arg-type]  # no text among them
        summary = service.runs.summary(run.id)
        assert (new, summary.requests, summary.malformed) == (True, requests, 0)

    def test_times_and_samples(self, service: Service) -> None:
        """The run lasts from its own first event to its last; a sample's line is the whole log's."""
        run, _ = service.runs.add(part(agent="argocd"))
        assert (run.finished - run.started).total_seconds() == 3600
        [sample] = service.runs.operation(run.id, "listJob").samples
        assert (sample.file, sample.line) == ("audit.log", 4)
        assert [one.line for one in service.runs.operation(run.id, "listPod").samples] == [2, 5]

    def test_its_pauses_are_no_gaps(self, service: Service) -> None:
        """An application may be silent as long as it likes."""
        run, _ = service.runs.add(part(agent="argocd"))
        summary = service.runs.summary(run.id)
        assert (summary.gaps, summary.backwards) == (None, 0)

    def test_none(self, service: Service) -> None:
        """A part without any request is told."""
        with pytest.raises(RequestError, match=r"^agent helm, namespace x: the log has no request of it$"):
            service.runs.add(part(agent="helm", namespace="x"))

    def test_no_log(self, service: Service) -> None:
        """So is a log without an audit event."""
        with pytest.raises(InputError, match="no audit event in it"):
            service.runs.add(part(b"x\ny", agent="helm"))

    def test_no_app(self, service: Service) -> None:
        """What stands for a whole cluster is no part of a log."""
        upload = RunUpload(kind=RunKind.CI, logs=[as_log(b"".join(LINES))], agent="e2e.test")
        with pytest.raises(
            RequestError, match=r"^agent e2e.test: only a run of kind app is a part of a log$"
        ):
            service.runs.add(upload)

    def test_no_swagger(self, tmp_path: Path) -> None:
        """It is mapped as any log is: with a swagger."""
        with service_at(tmp_path / "new") as service, pytest.raises(RequestError, match="no swagger"):
            service.runs.add(part(agent="argocd"))


class TestSplit:
    """All applications of a log, in one pass."""

    @pytest.mark.parametrize(
        ("by", "apps"),
        [
            (SplitBy.AGENT, {"argocd": 3, "kubectl": 1}),
            (SplitBy.NAMESPACE, {"argocd": 1}),
            (SplitBy.SERVICE_ACCOUNT, {"argocd:server": 3}),
        ],
    )
    def test_by(self, service: Service, by: SplitBy, apps: dict[str, int]) -> None:
        """Each value is an application; requests of none are left out."""
        upload = RunUpload(kind=RunKind.APP, logs=[as_log(b"".join(LINES))])
        runs = service.runs.add_split(upload, by)
        assert {run.app: service.runs.summary(run.id).requests for run, _ in runs} == apps

    def test_as_one_by_one(self, service: Service) -> None:
        """Each is the very run that its part alone is."""
        [(run, new), _] = service.runs.add_split(
            RunUpload(kind=RunKind.APP, logs=[as_log(b"".join(LINES))]), SplitBy.AGENT
        )
        alone = RunUpload(kind=RunKind.APP, app="argocd", logs=[as_log(b"".join(LINES))], agent="argocd")
        assert new
        assert service.runs.add(alone) == (run, False)

    def test_at_least(self, service: Service) -> None:
        """Those with fewer requests are left out."""
        upload = RunUpload(kind=RunKind.APP, logs=[as_log(b"".join(LINES))])
        runs = service.runs.add_split(upload, SplitBy.AGENT, at_least=2)
        assert [run.app for run, _ in runs] == ["argocd"]

    def test_rotated(self, service: Service, tmp_path: Path) -> None:
        """Rotated files are one log, also where a request begins in one and ends in the next."""
        opened = event("a", "ResponseStarted", agent="x") + event("y", agent="y")
        (tmp_path / "1.log").write_bytes(opened)
        (tmp_path / "2.log").write_bytes(event("z", agent="y", received=1) + event("a", agent="x", staged=2))
        logs = [Log.at(tmp_path / name) for name in ("2.log", "1.log")]
        [(run, _), _] = service.runs.add_split(RunUpload(kind=RunKind.APP, logs=logs), SplitBy.AGENT)
        assert (run.app, service.runs.summary(run.id).requests) == ("x", 1)
        [sample] = service.runs.operation(run.id, "listPod").samples
        assert (sample.file, sample.line) == ("2.log", 2)

    def test_long_name(self, service: Service) -> None:
        """A user agent may be of any length, the name of an application not."""
        upload = RunUpload(kind=RunKind.APP, logs=[as_log(event(agent="x" * 999))])
        [(run, _)] = service.runs.add_split(upload, SplitBy.AGENT)
        assert run.app == "x" * LONGEST_APP

    @pytest.mark.parametrize("changes", [{"kind": RunKind.CI}, {"app": "x"}, {"agent": "x"}])
    def test_refused(self, service: Service, changes: dict[str, str]) -> None:
        """What it is split by names the applications."""
        upload = RunUpload(**{"kind": RunKind.APP, "logs": [as_log(LINES[0])]} | changes)  # type: ignore[arg-type]
        with pytest.raises(RequestError, match="called by what it is split by"):
            service.runs.add_split(upload, SplitBy.AGENT)
