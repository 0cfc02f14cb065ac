"""The waivers that the configuration names."""

from pathlib import Path

from auditsvc.audits import audit_names
from auditsvc.core.waivers import Waiver, parse_waivers
from auditsvc.errors import ConfigError, FetchError, ParseError
from auditsvc.fetch import read


def read_waivers(file: Path | None) -> tuple[Waiver, ...]:
    """The waivers of a file, none without one. Raises ConfigError where it cannot be read."""
    if file is None:
        return ()
    try:
        return parse_waivers(read(str(file)), audit_names())
    except ParseError as error:
        raise ConfigError(f"waivers: {file}: {error}") from error
    except FetchError as error:
        raise ConfigError(f"waivers: {error}") from error
