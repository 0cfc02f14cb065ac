"""Our rules against what APISnoop published, endpoint by endpoint and row by row."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from auditsvc.core.apisnoop import (
    ImportedCoverage,
    ImportedDates,
    ImportedHistories,
    ImportedIneligible,
    ImportedProgress,
    ImportedRelease,
    imported_operations,
    parse_apisnoop,
)
from auditsvc.core.coverage import coverage_rows, eligible, progress_rows
from auditsvc.core.releases import parse_release, release_name
from auditsvc.core.swagger import Swagger, parse_swagger

OPEN_ID = {
    "getServiceAccountIssuerOpenIDConfiguration": ("beta", "stable"),
    "getServiceAccountIssuerOpenIDKeyset": ("beta", "stable"),
}
LEVELS = {
    "1.34": {
        **OPEN_ID,
        "getInternalApiserverAPIGroup": ("stable", "alpha"),
        "getStoragemigrationAPIGroup": ("stable", "alpha"),
    },
    "1.36": {
        **OPEN_ID,
        "getInternalApiserverAPIGroup": ("stable", "alpha"),
        "getStoragemigrationAPIGroup": ("stable", "beta"),
    },
}
"""Where APISnoop's level is not ours: its, ours. To it OpenID is beta and a group's discovery stable."""

CUT_NAMES = {"[sig-cli] Kubectl client kubectl wait should ignore not found error with"}
"""Test names that APISnoop cuts at their own ``--`` (``--for=delete``), where ours are whole."""

VERSIONS = ("1.34", "1.36")


def raw(folder: Path, name: str) -> Any:
    """A published file as it is."""
    return json.loads(unpacked(folder, name))


def unpacked(folder: Path, name: str) -> bytes:
    """A published file's content."""
    return gzip.decompress((folder / "apisnoop" / f"{name}.json.gz").read_bytes())


def release_of(folder: Path, version: str) -> ImportedRelease:
    """A published release."""
    found = parse_apisnoop(unpacked(folder, f"{version}.0"))
    assert isinstance(found, ImportedRelease)
    return found


def swagger_of(folder: Path, version: str) -> Swagger:
    """Kubernetes' own document of a release."""
    return parse_swagger(gzip.decompress((folder / f"swagger/v{version}.json.gz").read_bytes()))


def ineligible_of(folder: Path) -> frozenset[str]:
    """The published ineligible list."""
    found = parse_apisnoop(unpacked(folder, "ineligible_endpoints"))
    assert isinstance(found, ImportedIneligible)
    return found.entries.names


def histories_of(folder: Path) -> ImportedHistories:
    """The published histories."""
    found = parse_apisnoop(unpacked(folder, "conformance-endpoints"))
    assert isinstance(found, ImportedHistories)
    return found


def dates_of(folder: Path) -> ImportedDates:
    """The published dates."""
    found = parse_apisnoop((folder / "apisnoop/releases.yaml").read_bytes())
    assert isinstance(found, ImportedDates)
    return found


def test_coverage_per_release_is_recomputed(shared_data: Path) -> None:
    """All 33 rows, from the endpoints' histories and the releases."""
    published = parse_apisnoop(unpacked(shared_data, "conformance-coverage-per-release"))
    ours = coverage_rows(dates_of(shared_data).dates, histories_of(shared_data).endpoints)
    assert ImportedCoverage(ours) == published
    assert len(ours) == 33


def test_progress_is_recomputed(shared_data: Path) -> None:
    """All 30 rows, likewise."""
    published = parse_apisnoop(unpacked(shared_data, "conformance-progress"))
    ours = progress_rows(dates_of(shared_data).dates, histories_of(shared_data).endpoints)
    assert ImportedProgress(ours) == published
    assert len(ours) == 30


def test_tested_release_follows(shared_data: Path) -> None:
    """The later of promotion and first test is what is published, for each of 563 endpoints."""
    published = {row["endpoint"]: row["tested_release"] for row in raw(shared_data, "conformance-endpoints")}
    ours = {
        one.endpoint: one.tested_release and release_name(one.tested_release)
        for one in histories_of(shared_data).endpoints
    }
    assert ours == published
    assert len(ours) == 563


def test_eligible_endpoints(shared_data: Path) -> None:
    """563 with the file's levels; with ours the two OpenID operations more."""
    release, ineligible = release_of(shared_data, "1.36"), ineligible_of(shared_data)
    levels = {row["endpoint"]: row["level"] for row in raw(shared_data, "1.36.0")["endpoints"]}
    theirs = {name for name, level in levels.items() if level == "stable"} - ineligible
    assert theirs == {one.endpoint for one in histories_of(shared_data).endpoints}
    assert len(theirs) == 563
    for operations in (imported_operations(release.endpoints), swagger_of(shared_data, "1.36").operations):
        ours = eligible(operations.values(), ineligible)
        assert ours == theirs | OPEN_ID.keys()
        assert len(ours) == 565


@pytest.mark.parametrize("version", VERSIONS)
def test_tested_follows_from_tests(shared_data: Path, version: str) -> None:
    """For every endpoint: some test that is not null, some test that says Conformance."""
    published = {
        row["endpoint"]: (row["tested"], row["conf_tested"])
        for row in raw(shared_data, f"{version}.0")["endpoints"]
    }
    ours = {one.endpoint: (one.tested, one.conf_tested) for one in release_of(shared_data, version).endpoints}
    assert ours == published


@pytest.mark.parametrize("version", VERSIONS)
def test_levels_differ_where_the_rules_do(shared_data: Path, version: str) -> None:
    """Group discovery and OpenID, and nothing else."""
    rows = raw(shared_data, f"{version}.0")["endpoints"]
    for operations in (
        imported_operations(release_of(shared_data, version).endpoints),
        swagger_of(shared_data, version).operations,
    ):
        differing = {
            row["endpoint"]: (row["level"], str(operations[row["endpoint"]].level))
            for row in rows
            if row["level"] != operations[row["endpoint"]].level
        }
        assert differing == LEVELS[version]


@pytest.mark.parametrize("version", VERSIONS)
def test_imported_operations_are_those_of_the_swagger(shared_data: Path, version: str) -> None:
    """All that are not deprecated, with the same method, path, level, group, kind and category."""
    imported = imported_operations(release_of(shared_data, version).endpoints)
    own = {
        name: one for name, one in swagger_of(shared_data, version).operations.items() if not one.deprecated
    }
    assert imported.keys() == own.keys()
    for name, one in own.items():
        found = imported[name]
        assert (found.method, found.path, found.level, found.category, found.kind, found.action) == (
            one.method,
            one.path,
            one.level,
            one.category,
            one.kind,
            one.action,
        )


@pytest.mark.parametrize("version", VERSIONS)
def test_names_that_were_cut(shared_data: Path, version: str) -> None:
    """A name of a test ends before its own dashes there; no published name has any."""
    names = {test or "" for one in release_of(shared_data, version).endpoints for test in one.tests}
    assert {name for name in names if name.endswith(" with")} >= CUT_NAMES
    assert not [name for name in names if "--" in name]


def test_release_dates(shared_data: Path) -> None:
    """Every release from 1.0 on is dated but the one to come."""
    dates = dates_of(shared_data).dates
    assert [release_name(one) for one, day in dates.items() if day is None] == ["1.37.0"]
    assert min(dates) == parse_release("1.0")
    assert len(dates) == 38
