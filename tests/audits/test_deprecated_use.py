import pytest
from msgspec.structs import replace

from auditsvc.audits import Settings
from auditsvc.core.releases import Release, Releases
from auditsvc.core.results import AuditResult, Status
from auditsvc.core.runs import Runs, Subject
from auditsvc.core.usage import DeprecatedUse, OperationUsage, Usage
from tests.audits.given import (
    API,
    DEFAULTS,
    SWAGGER,
    Given,
    floats,
    missing,
    outcome,
    run,
    subject,
    swagger_of,
)

AUDIT = "AuditDeprecatedUse"
CRON = "/apis/batch/v1beta1/cronjobs"


def release(
    version: str, *, without: str = "", also: dict[str, tuple[str, str, str]] | None = None
) -> Release:
    """A release with the API of these tests, less one operation and with others."""
    api = {name: one for name, one in API.items() if name != without} | (also or {})
    return Release(version, swagger_of(api).operations)


def log(version: str | None = "v1.20.2", *marks: DeprecatedUse, name: str = "p1", **hits: int) -> Subject:
    """A run in which kubectl requested operations so often, of which some requests were marked."""
    operations = {one: OperationUsage(count, agents={"kubectl": count}) for one, count in hits.items()}
    total = sum(hits.values())
    usage = Usage(operations, requests=total, mapped=total, deprecated=marks)
    return subject(usage, of=replace(run(name), version=version))


def judged(*subjects: Subject, known: tuple[Release, ...] = (), settings: Settings = DEFAULTS) -> AuditResult:
    """The audit's result."""
    return outcome(AUDIT, Given(logs=Runs(subjects), releases=Releases(known), settings=settings))


def mark(name: str = "listCron", release: str = "1.25", requests: int = 2) -> DeprecatedUse:
    """Requests of kubectl that the API server marked."""
    return DeprecatedUse("kubectl", name, release, requests)


class TestAnnotations:
    """What the API server marked as deprecated."""

    def test_nothing_deprecated(self) -> None:
        """What stays passes, and was looked at."""
        result = judged(log(readPod=3, listJob=1), known=(release("v1.36.0"),))
        assert (result.status, result.checked) == (Status.PASSED, 2)

    def test_before_the_removal(self) -> None:
        """A use warns for as long as the release that removes it is not reached."""
        result = judged(log("v1.20.2", mark(), listCron=2), known=(release("v1.24.9"),))
        assert (result.status, result.checked) == (Status.WARNING, 1)
        found = "kubectl requested listCron, which is deprecated (removed in 1.25); requests: 2"
        assert missing(result) == [("kubectl/listCron", found)]
        assert result.missing[0].resolution

    @pytest.mark.parametrize("stored", ["v1.25.0", "v1.36.1", "v2.0.0"])
    def test_stored(self, stored: str) -> None:
        """It fails as soon as that release or a later one is stored."""
        result = judged(log("v1.20.2", mark(), listCron=2), known=(release(stored),))
        assert floats(result) == {("Clients", "kubectl", "listCron"): (0, 2)}
        assert (result.status, result.floats[0].detail) == (Status.FAILED, "removed in 1.25")

    @pytest.mark.parametrize(("target", "status"), [("1.24", Status.WARNING), ("v1.25", Status.FAILED)])
    def test_target(self, target: str, status: Status) -> None:
        """It fails, too, where that release is the one to upgrade to."""
        settings = Settings(target_release=target)
        assert judged(log("v1.20.2", mark(), listCron=2), settings=settings).status is status

    def test_no_release_named(self) -> None:
        """What is to go nobody knows when only warns."""
        result = judged(log("v1.20.2", mark(release="")), known=(release("v1.36.0"),))
        assert "no release named that removes it" in missing(result)[0][1]
        assert result.status is Status.WARNING

    def test_no_operation(self) -> None:
        """A request of no operation is named by its resource."""
        result = judged(log("v1.20.2", mark("batch/v2alpha1/cronjobs", "1.21")), known=(release("v1.21.0"),))
        assert list(floats(result)) == [("Clients", "kubectl", "batch/v2alpha1/cronjobs")]

    def test_several_runs(self) -> None:
        """The requests of all runs count together."""
        runs = log("v1.20.2", mark(), listCron=5), log("v1.20.2", mark(requests=3), name="p2", listCron=3)
        result = judged(*runs, known=(release("v1.25.0", also={}),))
        assert floats(result) == {("Clients", "kubectl", "listCron"): (0, 5)}


class TestNewerReleases:
    """What newer stored swaggers lack."""

    def test_gone(self) -> None:
        """All requests of an operation that a newer release lacks fail, marked or not, by the first such."""
        known = (
            release("v1.21.0"),
            release("v1.25.0", without="listCron"),
            release("v1.26.0", without="listCron"),
        )
        for marks, when in (((), "not in v1.25.0"), ((mark(release="1.24"),), "removed in 1.24")):
            result = judged(log("v1.20.2", *marks, listCron=7, readPod=1), known=known)
            assert floats(result) == {("Clients", "kubectl", "listCron"): (0, 7)}
            assert result.floats[0].detail == when

    def test_back_again(self) -> None:
        """What a later release has again stays."""
        known = release("v1.25.0", without="listCron"), release("v1.26.0")
        assert judged(log(listCron=1), known=known).status is Status.PASSED

    def test_renamed(self) -> None:
        """An operation is the same under another id."""
        renamed = release("v1.25.0", without="listCron", also={"listCronJobs": ("get", CRON, "")})
        assert judged(log(listCron=1), known=(renamed,)).status is Status.PASSED

    def test_older(self) -> None:
        """What an older release, or another patch of its own, lacks is none of it."""
        known = release("v1.19.0", without="listCron"), release("v1.20.9", without="listCron")
        assert judged(log(listCron=1), known=known).status is Status.PASSED

    def test_of_no_swagger(self) -> None:
        """An operation that the run's own swagger lacks is known by its id alone."""
        assert judged(log(other=1), known=(release("v1.25.0"),)).status is Status.FAILED


class TestNotes:
    """What could not be looked at is told."""

    def test_no_version(self) -> None:
        """A run of no known version is held against no newer release."""
        result = judged(log(None, listCron=1), known=(release("v1.25.0", without="listCron"),))
        assert (result.status, SWAGGER.version) == (Status.PASSED, None)
        note = "pull run p1 is of no known version of Kubernetes: not held against newer releases"
        assert result.notes == (note,)

    def test_old_run(self) -> None:
        """A run stored before marks were counted is still held against newer releases."""
        old = log(listCron=1)
        old = replace(old, usage=replace(old.usage, deprecated=None))
        result = judged(old, known=(release("v1.25.0", without="listCron"),))
        assert result.status is Status.FAILED
        assert "ingest its log again" in result.notes[0]

    def test_imported(self) -> None:
        """A report knows no clients: nothing is compared."""
        told = "pull run p2 is an imported report: its log was not seen"
        result = outcome(AUDIT, Given(logs=Runs((), told)))
        assert (result.status, result.problem) == (Status.FAILED, f"nothing to compare: {told}")
