import pytest
from msgspec.structs import replace

from auditsvc.core.apps import App, Apps
from auditsvc.core.releases import Release, Releases
from auditsvc.core.results import Status
from auditsvc.core.runs import RunKind
from auditsvc.core.waivers import Waiver
from tests.audits.given import (
    API,
    DEFAULTS,
    SWAGGER,
    Given,
    floats,
    missing,
    outcome,
    run,
    swagger_of,
    used,
)

DISCOVERY = {"getBatchV1beta1": ("get", "/apis/batch/v1beta1/", "")}
SERVED = swagger_of({**API, **DISCOVERY})


def app(*operations: str, name: str = "argo", version: str | None = "v1.20.2") -> App:
    """An application that made one request of each operation."""
    return App(replace(run(name, RunKind.APP), app=name, version=version), used(*operations), SERVED)


def release(version: str, *without: str) -> Release:
    """A release that has all of the API but those operations."""
    return Release(version, {name: one for name, one in SWAGGER.operations.items() if name not in without})


def given(*apps: App, releases: tuple[Release, ...] = (), reason: str = "") -> Given:
    """The inputs of a window in which the applications ran."""
    return Given(apps=Apps(apps, reason), releases=Releases(releases))


def test_stable_operations_that_stay_pass() -> None:
    """Compared for each application with what is stable, and with each newer release; the span is told."""
    newer = release("v1.20.2"), release("v1.21.0", "watchPod"), release("v1.22.3")
    result = outcome("AuditAppPortability", given(app("readPod", "getVersion"), releases=newer))
    assert (result.status, result.checked) == (Status.PASSED, 3)
    [note] = result.notes
    assert note == (
        "argo (app run argo): depends on operations: 2; "
        "oldest stored release that serves all that it uses: 1.20.0, newest: 1.22.0"
    )


@pytest.mark.parametrize(("name", "reason"), [("watchPod", "deprecated"), ("listCron", "beta")])
def test_unstable_operations_fail(name: str, reason: str) -> None:
    """What promises nothing fails, and is named with what to do."""
    result = outcome("AuditAppPortability", given(app("readPod", "createPod", name)))
    assert result.status is Status.FAILED
    assert floats(result) == {("Apps", "argo", "stable"): (3, 2)}
    assert missing(result) == [(f"argo/{name}", f"argo uses {name}, which is {reason}")]
    assert [found.detail for found in result.floats] == [name]
    assert "move to a stable operation" in result.floats[0].resolution
    assert "move to a stable operation" in result.missing[0].resolution


def test_operations_that_a_newer_release_lacks_fail() -> None:
    """Each release is compared by itself; the operation is named once with all that lack it."""
    releases = release("v1.19.0", "readPod"), release("v1.21.0"), release("v1.22.0", "readPod", "listJob")
    result = outcome(
        "AuditAppPortability",
        given(app("readPod", "getVersion"), releases=(*releases, release("v1.23.0", "readPod"))),
    )
    assert floats(result) == {("Apps", "argo", "1.22.0"): (2, 1), ("Apps", "argo", "1.23.0"): (2, 1)}
    assert missing(result) == [("argo/readPod", "argo uses readPod, which is not in 1.22.0, 1.23.0")]
    assert "newer releases serve" in result.missing[0].resolution
    assert "1.21.0, newest: 1.21.0" in result.notes[0]


def test_what_only_asks_what_there_is_is_left_out() -> None:
    """Discovery of a beta version is no dependence on it; what is of no operation is told."""
    usage = replace(used("readPod", "getBatchV1beta1"), requests=5)
    result = outcome("AuditAppPortability", given(replace(app(), usage=usage)))
    assert result.status is Status.PASSED
    [note] = result.notes
    assert note == (
        "argo (app run argo): depends on operations: 1, used others that only tell what the server has: 1, "
        "made requests of no operation: 3; no release is stored that it could be held against"
    )


def test_an_application_of_no_version_is_held_against_no_release() -> None:
    """It is told, and still judged by what is stable."""
    result = outcome(
        "AuditAppPortability",
        given(app("readPod", version=None), releases=(release("v1.22.0", "readPod"),)),
    )
    assert (result.status, result.checked) == (Status.PASSED, 1)
    assert "none of the 1 stored releases serves all that it uses" in result.notes[0]
    assert "argo is of no known version of Kubernetes" in result.notes[1]


def test_an_application_that_used_nothing_does_not_pass() -> None:
    """Beside another one it is a warning; alone there is nothing to compare."""
    beside = outcome("AuditAppPortability", given(app("getBatchV1beta1", name="idle"), app("readPod")))
    assert beside.status is Status.WARNING
    assert missing(beside) == [("idle", "idle (app run idle) used no operation that it could be judged by")]
    alone = outcome("AuditAppPortability", given(app(name="idle")))
    assert (alone.status, alone.checked) == (Status.FAILED, 0)


def test_no_application_fails() -> None:
    """Emptiness does not pass, and the reason is told."""
    result = outcome("AuditAppPortability", given(reason="no app run finished in the window"))
    assert result.problem == "nothing to compare: no app run finished in the window"
    never = outcome("AuditAppPortability", Given(absent=frozenset({"apps"})))
    assert never.problem == "nothing to compare: no apps ever received"


def test_waived() -> None:
    """One waiver accepts an application's use of an operation, the hard finding and the soft one."""
    waiver = Waiver(
        type="AuditAppPortability",
        key="argo/listCron",
        reason="gone with the next version",
        owner="argo",
        expires=run().finished.date().replace(year=2027),
        issue=None,
        line=1,
    )
    inputs = replace(given(app("readPod", "listCron")), settings=replace(DEFAULTS, waivers=(waiver,)))
    result = outcome("AuditAppPortability", inputs)
    assert result.status is Status.PASSED
    assert len(result.waived) == 2
