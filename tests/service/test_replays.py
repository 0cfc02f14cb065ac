"""Results are repeated from what they were computed from, whatever came to the store since."""

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from auditsvc.audits import AuditType, find_audit_type
from auditsvc.core.apisnoop import parse_apisnoop
from auditsvc.core.replay import Repeated, Replay
from auditsvc.core.runs import Run, RunKind
from auditsvc.errors import NotFoundError
from auditsvc.service import Service
from auditsvc.service import replays as module
from auditsvc.store.costs import CostKind
from auditsvc.store.lists import ListKind
from tests.logs import NOON
from tests.service.made import (
    COSTS,
    DAY,
    EQUALITY,
    INELIGIBLE,
    PENDING,
    TOTAL,
    add_run,
    document,
    listing,
    move_clock,
    put_documents,
    service_at,
)
from tests.service.test_coverage import GATE, add_tested, put_releases

CI, PULL = RunKind.CI, RunKind.PULL
BASE = ("listPod", "readPod", "listJob")
LOG = find_audit_type("logIntegrity")
SAME, DIFFERENT, IMPOSSIBLE = Repeated.SAME, Repeated.DIFFERENT, Repeated.IMPOSSIBLE


@pytest.fixture
def runs(service: Service) -> tuple[Run, Run]:
    """A CI run and a pull run of one day, which is audited."""
    ci = add_run(service, CI, *BASE, hours=-2)
    pull = add_run(service, PULL, *BASE, "listCron", pull="17", build="1")
    service.audits.run(DAY)
    return ci, pull


def ended(replays: Sequence[Replay]) -> dict[str, Repeated]:
    """How each replay ended, by its audit's type."""
    return {one.type: one.ended for one in replays}


def replay(service: Service, *types: AuditType) -> Sequence[Replay]:
    """The day's results once more."""
    return service.replays.of_window(DAY, types)


def test_the_same(service: Service, runs: tuple[Run, Run]) -> None:
    """Where nothing changed the bytes are the same, and nothing is stored."""
    assert runs
    before = service.audits.stored()
    move_clock(service, timedelta(days=3))
    found = replay(service)
    assert set(ended(found).values()) == {SAME}
    assert {one.type for one in found} >= {EQUALITY.name, PENDING.name, INELIGIBLE.name, TOTAL.name}
    assert all(one.diff == () and one.code == one.code_now for one in found)
    assert service.audits.stored() == before


def test_the_policy_of_a_run(service: Service) -> None:
    """Is kept with it, and linted to the same bytes again."""
    policy = b"apiVersion: audit.k8s.io/v1\nkind: Policy\nstages: [Panic]\nrules: [{level: Metadata}]\n"
    run = add_run(service, PULL, *BASE, policy=policy)
    [stored] = service.audits.run(DAY, [LOG])
    assert [one.key for one in stored.result.missing] == [f"{run.id}/policy:{line}" for line in (3, 4)]
    assert ended(replay(service, LOG)) == {LOG.name: SAME}


def test_what_came_since_is_not_looked_at(service: Service, runs: tuple[Run, Run]) -> None:
    """Newer builds, nearer baselines, other lists and swaggers that hold by now: a replay has the old."""
    assert runs
    add_run(service, CI, "listPod", hours=-1)
    add_run(service, PULL, "listPod", pull="17", build="2", hours=1)
    add_run(service, PULL, "listPod", pull="18", hours=1)
    since = NOON - timedelta(days=50)
    service.documents.put_swagger("v1.34.0", document("listPod"), holds_from=since)
    service.documents.put_list(ListKind.PENDING, listing("readPod", "listJob"), holds_from=since)
    service.documents.put_list(ListKind.INELIGIBLE, listing("listPod", "listPod"), holds_from=since)
    assert set(ended(replay(service)).values()) == {SAME}
    texts = {one.key: one.text for one in service.audits.stored()}
    service.audits.run(DAY)
    assert {one.key for one in service.audits.stored() if one.text != texts[one.key]} >= {EQUALITY.key}
    assert set(ended(replay(service)).values()) == {SAME}


def test_without_baseline(service: Service) -> None:
    """Why there was none is recorded: that there is one now does not change the result."""
    add_run(service, PULL, *BASE, pull="17")
    service.audits.run(DAY, [EQUALITY])
    add_run(service, CI, *BASE, hours=-2)
    [found] = replay(service)
    assert found.ended is SAME
    assert "no baseline for pull run" in found.stored


def test_never_received(service: Service) -> None:
    """What the store had never been given stays so."""
    service.audits.run(DAY, [COSTS, EQUALITY])
    add_run(service, PULL, *BASE)
    assert set(ended(replay(service)).values()) == {SAME}


def test_no_runs(service: Service) -> None:
    """A day without a run is judged by the documents that held."""
    add_run(service, CI, *BASE, hours=48)
    service.audits.run(DAY)
    add_run(service, CI, *BASE)
    assert set(ended(replay(service)).values()) == {SAME}


def test_settings_and_waivers(tmp_path: Path) -> None:
    """The configuration and the waivers are those of then, as of the time of then: they may expire."""
    waivers = tmp_path / "waivers.yaml"
    waivers.write_text(
        "- {type: operationEquality, key: listCron, owner: me, reason: known, expires: 2026-01-18}\n"
    )
    with service_at(tmp_path / "data", waivers=waivers) as service:
        put_documents(service)
        add_run(service, CI, *BASE, hours=-2)
        add_run(service, PULL, *BASE, "listCron")
        [stored] = service.audits.run(DAY, [EQUALITY])
        assert stored.result.waived
    waivers.unlink()
    with service_at(tmp_path / "data", rel_tol=0.5) as service:
        move_clock(service, timedelta(days=400))
        assert ended(replay(service)) == {EQUALITY.name: SAME}


def test_deleted_runs(service: Service, runs: tuple[Run, Run]) -> None:
    """Without a run that was judged, or its baseline, it is not possible: each is named."""
    for run in runs:
        service.runs.delete(run.id)
    found = {one.type: one for one in replay(service)}
    assert found[EQUALITY.name].ended is IMPOSSIBLE
    assert set(found[EQUALITY.name].gone) == {f"run {run.id} was deleted" for run in runs}
    assert (found[EQUALITY.name].repeated, found[EQUALITY.name].diff) == (None, ())


def test_documents_are_kept(service: Service) -> None:
    """A swagger and lists that a deleted run had brought stay while a result refers to them, no longer."""
    brought: dict[str, Any] = {
        "swagger": document("listPod"),
        "pending": listing("a"),
        "ineligible": listing("b"),
    }
    add_run(service, CI, "listPod", hours=-2)
    pull = add_run(service, PULL, "listPod", **brought)
    service.audits.run(DAY)
    service.runs.delete(pull.id)
    assert service.store.documents([pull.swagger or ""]) == {pull.swagger}
    assert service.store.lists.get(pull.pending or "").names == {"a"}
    service.store.sets.delete_before(DAY.end)
    hashes = [pull.swagger or "", pull.pending or "", pull.ineligible or ""]
    assert service.store.documents(hashes) == frozenset()


def test_lost_documents(service: Service, runs: tuple[Run, Run]) -> None:
    """A document that somebody took out of the file is named."""
    assert runs
    with closing(sqlite3.connect(service.store.path)) as db, db:
        [(digest,)] = db.execute("select list from list_holds where kind = 'pending'")
        db.execute("delete from list_holds where list = ?", (digest,))
        db.execute("delete from lists where hash = ?", (digest,))
    [found] = replay(service, PENDING)
    assert found.gone == (f"document {digest} was deleted",)


def test_costs(service: Service) -> None:
    """Costs are replaced in place: those that changed, came or went since are named."""
    rows = {"a/b/c/d": {"name": "a/b/c/d", "properties": {"cluster": "c", "node": "n"}, "cpuCost": 1.0}}
    service.costs.put(CostKind.ALLOCATIONS, DAY, json.dumps({"code": 200, "data": [rows]}).encode())
    service.audits.run(DAY, [COSTS])
    move_clock(service, timedelta(days=9))
    assert ended(replay(service)) == {COSTS.name: SAME}
    rows["a/b/c/d"]["cpuCost"] = 2.0
    service.costs.put(CostKind.ALLOCATIONS, DAY, json.dumps({"code": 200, "data": [rows]}).encode())
    [found] = replay(service)
    assert found.ended is IMPOSSIBLE
    assert f"allocations of {DAY} changed since" in found.gone
    service.store.costs.delete(CostKind.ALLOCATIONS, DAY)
    [found] = replay(service)
    assert f"allocations of {DAY} was deleted" in found.gone
    assert any(line.endswith(", made from the allocations was deleted") for line in found.gone)


def test_costs_that_came_since(service: Service) -> None:
    """What was not there then is named too."""
    service.audits.run(DAY, [COSTS])
    service.costs.put(CostKind.ASSETS, DAY, b'{"code": 200, "data": {}}')
    [found] = replay(service)
    assert f"assets of {DAY} came since" in found.gone


def test_different(service: Service, runs: tuple[Run, Run]) -> None:
    """What differs is shown as a diff of the JSON; here somebody wrote into the file."""
    assert runs
    with closing(sqlite3.connect(service.store.path)) as db, db:
        db.execute("""update results set text = replace(text, '"Checked":2', '"Checked":3')""")
    [found] = replay(service, EQUALITY)
    assert found.ended is DIFFERENT
    assert found.diff[:2] == (
        f"--- 2026-01-16/{EQUALITY.name} stored",
        f"+++ 2026-01-16/{EQUALITY.name} repeated",
    )
    assert [line for line in found.diff[2:] if line[0] in "+-"] == ['-  "Checked": 3', '+  "Checked": 2']


def test_other_code(service: Service, runs: tuple[Run, Run], monkeypatch: pytest.MonkeyPatch) -> None:
    """The versions of the code are told."""
    assert runs
    monkeypatch.setattr(module, "code_version", lambda: "other")
    [found] = replay(service, TOTAL)
    assert (found.ended, found.code_now) == (SAME, "other")
    assert found.code != "other"


def test_not_recorded(service: Service, runs: tuple[Run, Run]) -> None:
    """A result of a version that recorded nothing, or of an audit that is no more, cannot be repeated."""
    assert runs
    with closing(sqlite3.connect(service.store.path)) as db, db:
        db.execute("update results set recorded = null where key = ?", (EQUALITY.key,))
        db.execute("update results set key = 'gone' where key = ?", (TOTAL.key,))
    found = {one.type: one.gone for one in replay(service)}
    assert found[EQUALITY.name] == ("it was stored before inputs were recorded: run the audit again",)
    assert found["gone"] == ("this version has no such audit",)


def test_conformance_gate(empty: Service) -> None:
    """What was known of the releases, and which run told it, are those of then; imports must be the same."""
    put_releases(empty)
    old = add_tested(empty, "v1.34.0", "listPod", "readPod", hours=-30)
    add_tested(empty, "v1.35.0", "listPod", "deletePod", hours=-1)
    alone = add_tested(empty, "v1.35.0", "deletePod", hours=-3)
    empty.audits.run(DAY, [GATE])
    empty.audits.run(None, [GATE], run_id=alone.id)
    add_tested(empty, "v1.35.0", "listPod", hours=-0.5)
    empty.documents.put_swagger("v1.33.0", document("listPod"), holds_from=NOON - timedelta(days=400))
    assert {one.ended for one in (*replay(empty), *empty.replays.of_run(alone.id))} == {SAME}
    release = {"release": "1.34.0", "tests": [], "endpoints": [{"endpoint": "a", "path": "/a", "tests": []}]}
    empty.coverage.import_apisnoop([parse_apisnoop(json.dumps(release).encode())])
    empty.runs.delete(old.id)
    [found] = replay(empty)
    assert set(found.gone) == {f"run {old.id} was deleted", "1.34.0.json came since"}


def test_gate_without_runs(empty: Service) -> None:
    """Where no run was judged, the release is that of the swagger that held."""
    put_releases(empty)
    add_tested(empty, "v1.34.0", "listPod", hours=-30)
    empty.audits.run(DAY, [GATE])
    empty.documents.put_swagger("v1.36.0", document("listPod"), holds_from=NOON - timedelta(days=9))
    assert ended(replay(empty)) == {GATE.name: SAME}


def test_run_alone(service: Service, runs: tuple[Run, Run]) -> None:
    """The results of a run alone are repeated as such."""
    ci, pull = runs
    with pytest.raises(NotFoundError, match=f"^run {pull.id} was never judged alone: "):
        service.replays.of_run(pull.id)
    service.audits.run(run_id=pull.id)
    add_run(service, CI, "listPod", hours=-1)
    found = service.replays.of_run(pull.id)
    assert set(ended(found).values()) == {SAME}
    assert {one.of for one in found} == {f"pull run {pull.id}"}
    assert set(ended(service.replays.of_run(pull.id, [TOTAL]))) == {TOTAL.name}
    service.runs.delete(ci.id)
    assert ended(service.replays.of_run(pull.id, [EQUALITY])) == {EQUALITY.name: IMPOSSIBLE}


def test_nothing_stored(service: Service) -> None:
    """Where there is no result, that is said; an unknown run is, too."""
    with pytest.raises(
        NotFoundError, match=r"^no result is stored for \[2026-01-16T.*: run the audits first$"
    ):
        replay(service)
    with pytest.raises(NotFoundError, match=r"^no result is stored for any day"):
        service.replays.of_window(None)
    with pytest.raises(NotFoundError, match=r"^unknown run: x "):
        service.replays.of_run("x")


def test_steps(service: Service, runs: tuple[Run, Run]) -> None:
    """Progress is told, a step for each result."""
    assert runs
    told: list[tuple[int, int]] = []
    service.replays.of_window(DAY, [EQUALITY, TOTAL], steps=lambda *step: told.append(step))
    assert told == [(0, 2), (1, 2)]
