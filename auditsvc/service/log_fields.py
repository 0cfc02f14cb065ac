"""What every line of the log says beside its event: the request or the job that the thread is at."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar, Token

_Fields = Mapping[str, str]

_fields: ContextVar[_Fields] = ContextVar("log_fields", default={})  # noqa: B039 - a Mapping is not changed


def log_fields() -> _Fields:
    """The fields by name."""
    return _fields.get()


def add_log_fields(**fields: str) -> Token[_Fields]:
    """Adds fields until the token is given to :func:`reset_log_fields`."""
    return _fields.set({**_fields.get(), **fields})


def reset_log_fields(token: Token[_Fields]) -> None:
    """Takes the fields back that came with the token."""
    _fields.reset(token)


@contextmanager
def logged_with(**fields: str) -> Iterator[None]:
    """Adds fields within the context."""
    token = add_log_fields(**fields)
    try:
        yield
    finally:
        reset_log_fields(token)
