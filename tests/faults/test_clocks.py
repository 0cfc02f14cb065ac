"""A clock that jumps, under a real server: scheduled runs are made, once, whatever it says."""

from collections.abc import Callable
from pathlib import Path

from tests.cli.conftest import CommandLine, Server
from tests.cli.test_sync import PULL, put_build
from tests.faults.processes import assert_whole, get, until, wrapped
from tests.faults.test_gcs import configure
from tests.gcs import FakeGcs

HOUR = 3600


def test_forwards_and_back(
    auditsvc: CommandLine, serve: Callable[..., Server], gcs: FakeGcs, tmp_path: Path
) -> None:
    """Days ahead is one run that was missed; back behind the last run, the schedule starts anew."""
    put_build(gcs, PULL.format(7))
    configure(auditsvc, gcs, schedule={"every": "1h"})
    ahead = tmp_path / "ahead"
    ahead.write_text("0")
    clocked = wrapped(auditsvc, "tests.faults.clocked", str(ahead))
    server = serve(clocked, "serve", "--port", 0)
    for runs, jump in enumerate((0, 72 * HOUR, 74 * HOUR, -9 * HOUR, -7 * HOUR), start=1):
        (tmp_path / "next").write_text(str(jump))
        (tmp_path / "next").replace(ahead)
        until(lambda: len(ended(server)) == runs)  # noqa: B023 - called here and now
    assert set(ended(server)) == {"done"}
    assert len(get(server, "/runs")) == 1
    assert_whole(clocked)
    assert server.stop()[0] == 0


def ended(server: Server) -> list[str]:
    """How the scheduled runs that ended did so."""
    jobs = get(server, "/audit/jobs?limit=100")
    return [job["state"] for job in jobs if job["kind"] == "schedule" and job["finished"]]
