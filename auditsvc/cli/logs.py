"""The server's log: a JSON object a line or, for people, a coloured line; the libraries' words like our own.

Code logs through :mod:`logging`, with ``extra`` for what belongs to an event; its shape is made here alone.
"""

import json
import logging
import re
import sys
import threading
from collections.abc import Iterable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

import click
import structlog
from gunicorn.glogging import Logger
from structlog.stdlib import ProcessorFormatter

from auditsvc.config import Config, LogFormat
from auditsvc.exports.plain import visible
from auditsvc.service.log_fields import log_fields

log = logging.getLogger(__name__)

HIDDEN = "[hidden]"
"""What stands in the place of a secret."""

_OURS = "auditsvc"
_CREDENTIALS = re.compile(r"\b(bearer|basic) +[\w.~+/=-]+", re.IGNORECASE)

_Event = MutableMapping[str, Any]

_COMMON: list[Any] = [
    lambda _logger, _name, event: {**event, **log_fields()},
    structlog.stdlib.ExtraAdder(),
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


class GunicornLogger(Logger):  # type: ignore[misc] # gunicorn has no types
    """gunicorn's log as a part of ours."""

    def setup(self, cfg: Any) -> None:
        """Where gunicorn would open streams of its own."""
        self.cfg = cfg
        self.error_log.propagate = True
        self._access_log_enabled = False  # requests are logged by the app, which knows their routes


def configure_logs(config: Config) -> None:
    """Sends all logging to standard error in the configured format.

    Of the libraries only warnings are told, whatever the level: their chatter names URLs, which may be
    secret.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter(_renderers(config), _secrets(config)))
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger(_OURS).setLevel(config.log_level.upper())
    logging.captureWarnings(capture=True)
    threading.excepthook = _log_end_of_thread


def announce(config: Config, line: str) -> None:
    """Tells where the server is: to people in the words of the command line, to machines as an event.

    Whatever the level, for nothing else says which port was taken.
    """
    if _is_json(config):
        log.handle(log.makeRecord(log.name, logging.INFO, __file__, 0, line, (), None))
    else:
        click.echo(f"auditsvc: {line}", err=True)


class _Formatter(ProcessorFormatter):
    """Makes lines in which no secret stands, wherever it came from."""

    def __init__(self, renderers: Iterable[Any], secrets: Iterable[str]) -> None:
        super().__init__(
            processors=[ProcessorFormatter.remove_processors_meta, *renderers], foreign_pre_chain=_COMMON
        )
        self._secrets = sorted(secrets, key=len, reverse=True)

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line = _CREDENTIALS.sub(rf"\1 {HIDDEN}", super().format(record))
        for secret in self._secrets:
            line = line.replace(secret, HIDDEN)
        return line


def _is_json(config: Config) -> bool:
    if config.log_format is LogFormat.AUTO:
        return not sys.stderr.isatty()
    return config.log_format is LogFormat.JSON


def _renderers(config: Config) -> list[Any]:
    if _is_json(config):
        return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    console = structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(),
        # Not the one that comes with rich: it shows local variables, and with them whatever is secret.
        exception_formatter=structlog.dev.plain_traceback,
    )
    return [structlog.processors.format_exc_info, _make_visible, console]


def _make_visible(_logger: Any, _name: str, event: _Event) -> _Event:
    """What a request says must not drive the terminal. Only a traceback has more than one line."""
    return {
        name: "\n".join(map(visible, value.split("\n") if name == "exception" else [value]))
        if isinstance(value, str)
        else value
        for name, value in event.items()
    }


def _secrets(config: Config) -> set[str]:
    known = {config.token, config.admin_token}
    if config.notify is not None:
        # Of a Slack webhook the path is the secret, and errors name it without the host.
        url = urlsplit(config.notify.url)
        known |= {config.notify.url, url.path.strip("/"), url.query, url.password}
    # As they stand, and as they stand in JSON.
    return {form for secret in known if secret for form in (secret, json.dumps(secret)[1:-1])}


def _log_end_of_thread(ended: threading.ExceptHookArgs) -> None:
    if ended.exc_value is not None:
        log.critical("a thread ended with a bug", exc_info=ended.exc_value)
