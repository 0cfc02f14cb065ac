"""Two servers on one store: neither takes the other's work for that of a process that is gone."""

from collections.abc import Callable
from pathlib import Path

from tests.cli.conftest import CommandLine, Server
from tests.cli.test_sync import PULL, put_build
from tests.faults.processes import (
    answer_to,
    assert_whole,
    get,
    half_sent,
    kill,
    post_run,
    until,
)
from tests.faults.test_gcs import configure
from tests.gcs import FakeGcs, stall

Serve = Callable[..., Server]


def test_both_serve(auditsvc_with_runs: CommandLine, serve: Serve, demo_data: Path) -> None:
    """What one was sent the other shows; an upload goes on while a second server starts and ends."""
    auditsvc = auditsvc_with_runs
    log = (demo_data / "ci-audit.log.gz").read_bytes()
    first = serve(auditsvc, "serve", "--port", 0)
    with half_sent(first, log, kind="ci", build="1") as (client, rest):
        second = serve(auditsvc, "serve", "--port", 0)
        assert get(second, "/audit/jobs") == []
        assert post_run(second, log, kind="ci", build="2").status_code == 201
        assert second.stop() == (0, "")
        client.sendall(rest)
        client.shutdown(1)
        status, answer = answer_to(client)
    assert status == 201, answer
    assert {run["build"] for run in get(first, "/runs")} >= {"1", "2"}
    assert_whole(auditsvc)


def test_a_job_under_way_goes_on(auditsvc: CommandLine, serve: Serve, gcs: FakeGcs) -> None:
    """The start of another server does not mark it; when its own is killed, the next start does."""
    put_build(gcs, PULL.format(7))
    configure(auditsvc, gcs, schedule={"every": "1h"})
    gcs.faults["swagger"] = [stall(10, gcs.ending)] * 9
    first = serve(auditsvc, "serve", "--port", 0)
    until(lambda: get(first, "/audit/jobs"))
    second = serve(auditsvc, "serve", "--port", 0)
    assert [job["state"] for job in get(second, "/audit/jobs")] == ["running"]
    assert_whole(auditsvc)
    kill(first.process)
    third = serve(auditsvc, "serve", "--port", 0)
    assert [job["state"] for job in get(third, "/audit/jobs")] == ["interrupted"]
    assert_whole(auditsvc)
