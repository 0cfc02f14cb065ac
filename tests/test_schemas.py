from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st
from marshmallow import Schema, ValidationError

from auditsvc import schemas
from auditsvc.core.runs import Run, RunKind
from auditsvc.schemas import JOB_STATES, LIST_KINDS, AtArgumentsSchema, RunSchema, enveloped, listed, paged
from auditsvc.store.jobs import JobState
from auditsvc.store.lists import ListKind

NOON = datetime(2026, 1, 17, 12, tzinfo=UTC)


def test_words_are_those_of_the_store() -> None:
    """The schemas stand below the store and cannot ask it for them."""
    assert list(JOB_STATES) == list(JobState)
    assert list(LIST_KINDS) == list(ListKind)


def test_times_are_written_in_utc() -> None:
    """Whatever their zone was."""
    at = NOON.astimezone(timezone(timedelta(hours=5, minutes=30)))
    run = RunSchema().dump(Run(id="a", kind=RunKind.CI, started=at, finished=at))
    assert run["started"] == run["finished"] == "2026-01-17T12:00:00.000000Z"


OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(st.datetimes(timezones=OFFSETS))
def test_times_are_read_with_any_offset(moment: datetime) -> None:
    """The same moment in UTC, where the calendar has it."""
    try:
        expected = moment.astimezone(UTC)
    except OverflowError:
        reject()
    assert AtArgumentsSchema().load({"at": moment.isoformat()})["at"] == expected


@pytest.mark.parametrize(
    "text",
    ["", "now", "2026-01-17", "2026-01-17T12:00:00", "2026-02-30T00:00:00Z", "9999-12-31T23:59:59-12:00"],
)
def test_time_that_is_none_is_refused(text: str) -> None:
    """No zone, no such day, or a moment outside of the calendar."""
    with pytest.raises(ValidationError, match="not an RFC 3339 time such as 2026-01-31T12:00:00Z"):
        AtArgumentsSchema().load({"at": text})


@pytest.mark.parametrize("make", [enveloped, listed, paged])
def test_envelope_is_made_once(make: object) -> None:
    """The same schema has one envelope of each sort, as openapi.yaml has one name for it."""
    assert callable(make)
    assert make(RunSchema) is make(RunSchema)


def test_every_field_says_what_it_is() -> None:
    """What a client reads in openapi.yaml is in the schema."""
    for schema in vars(schemas).values():
        if isinstance(schema, type) and issubclass(schema, Schema):
            for name, field in schema().fields.items():
                assert name == "data" or field.metadata.get("description"), f"{schema.__name__}.{name}"
