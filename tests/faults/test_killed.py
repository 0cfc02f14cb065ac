"""kill -9 in the middle of everything: what was acknowledged is there, and nothing is there in half."""

import gzip
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import pytest
import requests
from sqlite_utils import Database

from auditsvc.store.migrations import migrations
from auditsvc.store.version import APPLICATION_ID
from tests.cli.conftest import CommandLine, Server
from tests.faults.processes import (
    TIMEOUT,
    assert_whole,
    get,
    half_sent,
    kill,
    post_run,
    problems,
    until,
    wrapped,
)

KILLED = -9

POINTS = ["insert into usage", "insert into samples,commit"]
"""Where a run is stored: in the middle of it, and when only the commit is left."""

Serve = Callable[..., Server]


@pytest.fixture
def log(demo_data: Path) -> bytes:
    """A real audit log, packed."""
    return (demo_data / "ci-audit.log.gz").read_bytes()


@pytest.mark.parametrize("point", POINTS)
def test_an_ingest(auditsvc_with_runs: CommandLine, demo_data: Path, point: str) -> None:
    """Nothing of the run is stored, and the next try stores all of it."""
    auditsvc = auditsvc_with_runs
    before = auditsvc.stored()
    command = "ingest", "--kind", "ci", "--build", "7", "--jobs", "2", demo_data / "ci-audit.log.gz"
    assert wrapped(auditsvc, "tests.faults.killed_at", point)(*command).returncode == KILLED
    assert auditsvc.stored() == before
    assert_whole(auditsvc)
    again = auditsvc(*command)
    assert again.returncode == 0, again.stderr
    assert again.stdout.strip() in auditsvc.stored()


def test_an_upload(auditsvc_with_runs: CommandLine, serve: Serve, log: bytes) -> None:
    """The run that was answered is there after the restart, the one that was not is not."""
    auditsvc = auditsvc_with_runs
    killed = serve(
        wrapped(auditsvc, "tests.faults.killed_at", f"{POINTS[-1]},{POINTS[-1]}"), "serve", "--port", 0
    )
    answered = post_run(killed, log, kind="ci", build="1")
    assert answered.status_code == 201, answered.text
    with pytest.raises(requests.ConnectionError):
        post_run(killed, log, kind="ci", build="2")
    killed.process.communicate(timeout=TIMEOUT)
    server = serve(auditsvc, "serve", "--port", 0)
    builds = {run["id"]: run["build"] for run in get(server, "/runs?limit=100")}
    assert builds[answered.json()["data"]["id"]] == "1"
    assert "2" not in builds.values()
    assert post_run(server, log, kind="ci", build="2").status_code == 201
    assert_whole(auditsvc)


def test_an_upload_half_sent(auditsvc_with_runs: CommandLine, serve: Serve, log: bytes) -> None:
    """What had arrived lies about until the next start, and then no longer."""
    auditsvc = auditsvc_with_runs
    before = auditsvc.stored()
    spool = auditsvc.data / "spool"
    server = serve(auditsvc, "serve", "--port", 0)
    with half_sent(server, 9 * gzip.decompress(log), kind="ci", build="1"):
        until(lambda: sum(file.stat().st_size for file in spool.glob("*/*")) > 1 << 20)
        assert_whole(auditsvc)
        kill(server.process)
    assert list(problems(auditsvc)) == ["processes"]
    assert len(get(serve(auditsvc, "serve", "--port", 0), "/runs")) == 2
    assert not list(spool.glob("*/*"))
    assert auditsvc.stored() == before
    assert_whole(auditsvc)


def test_an_audit(auditsvc_with_runs: CommandLine, serve: Serve) -> None:
    """Its job is interrupted at the next start, and its day has no result; asked again, it has all."""
    auditsvc = auditsvc_with_runs
    point = "insert or replace into results,commit"
    killed = serve(wrapped(auditsvc, "tests.faults.killed_at", point), "serve", "--port", 0)
    with suppress(requests.ConnectionError):  # the answer may come before the end
        requests.post(f"{killed.url}/audit?commit=true", timeout=TIMEOUT)
    killed.process.communicate(timeout=TIMEOUT)
    assert list(problems(auditsvc)) == ["jobs"]
    server = serve(auditsvc, "serve", "--port", 0)
    assert [job["state"] for job in get(server, "/audit/jobs")] == ["interrupted"]
    assert {value for name, value in get(server, "/audit")[0].items() if name != "window"} == {None}
    [day] = requests.post(f"{server.url}/audit?commit=true&wait=true", timeout=TIMEOUT).json()["data"]
    assert day["swaggerTotal"]["Status"] == "Passed"
    assert_whole(auditsvc)


@pytest.mark.parametrize(
    "point",
    ["create view", "pragma user_version =,commit"],
)
def test_a_migration(auditsvc_with_runs: CommandLine, serve: Serve, point: str) -> None:
    """The file is of its old version with all that it held, until it is of the new one with all of it."""
    auditsvc = auditsvc_with_runs
    path = auditsvc.data / "auditsvc.db"
    held = make_old(path)
    assert wrapped(auditsvc, "tests.faults.killed_at", point)("serve", "--port", 0).returncode == KILLED
    assert content(path) == held
    assert list(problems(auditsvc)) == ["file"]
    server = serve(auditsvc, "serve", "--port", 0)
    assert len(get(server, "/runs")) == 2
    assert_whole(auditsvc)


def make_old(path: Path) -> tuple[int, dict[str, int]]:
    """Makes the store one of the first release, with the same rows; its version, and how many of what."""
    old = path.with_name("old.db")
    with closing(sqlite3.connect(old, isolation_level=None)) as conn:
        migrations.apply(Database(conn), stop_before="m004_tokens")
        conn.execute("attach ? as new", (str(path),))
        for (table,) in conn.execute("select name from main.sqlite_schema where type = 'table'").fetchall():
            if table.startswith(("sqlite_", "_sqlite")):
                continue
            columns = ", ".join(f'"{row[1]}"' for row in conn.execute(f"pragma main.table_info({table})"))
            conn.execute(f"insert into main.{table} ({columns}) select {columns} from new.{table}")  # noqa: S608 - of our schema
        conn.execute("create view v_runs as select id from runs")
        conn.execute(f"pragma application_id = {APPLICATION_ID}")
        conn.execute("pragma user_version = 3")
    old.replace(path)
    return content(path)


def content(path: Path) -> tuple[int, dict[str, int]]:
    """The version of a store, and how many rows each table has."""
    with closing(sqlite3.connect(path)) as conn:
        tables = [name for (name,) in conn.execute("select name from sqlite_schema where type = 'table'")]
        [(version,)] = conn.execute("pragma user_version")
        counts = {name: conn.execute(f"select count(*) from {name}").fetchone()[0] for name in tables}  # noqa: S608 - of our schema
    return version, counts


def test_at_any_time(auditsvc_with_runs: CommandLine, serve: Serve, log: bytes) -> None:
    """Uploads and audits under way from several clients, killed at whatever they are at."""
    auditsvc = auditsvc_with_runs
    acknowledged = []

    def use(server: Server, client: int) -> None:
        with suppress(requests.RequestException):
            for number in range(50):
                build = f"{server.process.pid}-{client}-{number}"
                if post_run(server, log, kind="ci", cluster="demo", build=build).status_code == 201:
                    acknowledged.append(build)
                requests.post(f"{server.url}/audit?commit=true", timeout=TIMEOUT)

    server = serve(auditsvc, "serve", "--port", 0)
    clients = [threading.Thread(target=use, args=(server, client)) for client in range(3)]
    for client in clients:
        client.start()
    until(lambda: len(acknowledged) >= 4)
    kill(server.process)
    for client in clients:
        client.join(TIMEOUT)
    server = serve(auditsvc, "serve", "--port", 0)
    assert set(acknowledged) <= {run["build"] for run in get(server, "/runs?limit=100")}
    assert_whole(auditsvc)
