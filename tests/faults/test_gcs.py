"""A bucket on its bad days: nothing of a broken build is stored, and the next sync goes on."""

import json
import time
from collections.abc import Callable
from typing import Any

from tests.cli.conftest import CommandLine, Server
from tests.cli.test_sync import PULL, put_build
from tests.faults.processes import END_SECONDS, assert_whole, get, half_sent, until
from tests.gcs import BUCKET, FakeGcs, cut, refuse, stall
from tests.service.made import document


def configure(auditsvc: CommandLine, gcs: FakeGcs, **more: Any) -> None:
    """Has the builds of a pull request fetched from the bucket."""
    gcs.put({"swagger": document()})
    job = {"job": "pull-audit", "kind": "pull", "pulls": ["7"], "swagger": f"gs://{BUCKET}/swagger"}
    auditsvc.data.mkdir()
    text = json.dumps({"sync": {"gcs_endpoint": gcs.url, "jobs": [job]}, **more})
    (auditsvc.data / "auditsvc.yaml").write_text(text)


def test_some_bad_minutes(auditsvc: CommandLine, gcs: FakeGcs) -> None:
    """They are got over."""
    build = put_build(gcs, PULL.format(7))
    configure(auditsvc, gcs)
    report = f"{PULL.format(7)}{build}/artifacts/audit/audit-endpoints.txt"
    gcs.faults[report] = [cut(0), refuse(503), cut(9)]
    for name in ("*", "swagger"):
        gcs.faults[name] = [refuse(503)] * 2
    ran = auditsvc("sync")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith("pull-")
    assert_whole(auditsvc)


def test_a_bad_day(auditsvc: CommandLine, gcs: FakeGcs) -> None:
    """It is told, nothing is stored, and the next day's sync takes the build in."""
    build = put_build(gcs, PULL.format(7))
    configure(auditsvc, gcs)
    report = f"{PULL.format(7)}{build}/artifacts/audit/audit-endpoints.txt"
    gcs.faults[report] = [cut(0), refuse(503)] * 25
    ran = auditsvc("sync")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert build in ran.stderr
    assert_whole(auditsvc)
    gcs.faults.clear()
    assert auditsvc("sync").stdout.startswith("pull-")
    assert_whole(auditsvc)


def test_a_stalled_download(auditsvc: CommandLine, serve: Callable[..., Server], gcs: FakeGcs) -> None:
    """It holds up no request. SIGTERM ends the server in time, with an upload that hangs besides; both leave
    nothing, and the next server makes the run.
    """
    put_build(gcs, PULL.format(7))
    configure(auditsvc, gcs, schedule={"every": "1h"})
    gcs.faults["swagger"] = [stall(10, gcs.ending)]
    server = serve(auditsvc, "serve", "--port", 0)
    until(lambda: "swagger" in gcs.asked)
    assert [job["state"] for job in get(server, "/audit/jobs")] == ["running"]
    with half_sent(server, b"{" * (4 << 20), kind="ci"):
        started = time.monotonic()
        code, _ = server.stop()
        assert time.monotonic() - started < END_SECONDS
    assert code == 0
    assert "'pull-" not in auditsvc.stored()
    assert "'interrupted'" in auditsvc.stored()
    assert_whole(auditsvc)
