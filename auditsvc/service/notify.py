"""Tells a webhook when an audit's status has changed."""

import logging
import threading
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import msgspec

from auditsvc.audits import find_audit_type
from auditsvc.config import NotifyConfig, NotifyFormat
from auditsvc.core.results import Status
from auditsvc.core.window import Window
from auditsvc.fetch.http import why
from auditsvc.store.results import StoredResult

log = logging.getLogger(__name__)

PAUSES = (0.0, 1.0, 4.0)
"""Seconds before each try."""

_TIMEOUTS = (3, 5)
_MOST_IN_SLACK = 20
_LONGEST = 300


class StatusChange(msgspec.Struct, frozen=True, kw_only=True):
    """An audit that ended otherwise than the last time in its window, or in the newest one before it."""

    window: Window
    type: str
    before: Status
    after: Status
    description: str


def find_changes(before: Mapping[str, Status | None], results: Iterable[StoredResult]) -> list[StatusChange]:
    """The results with another status than ``before`` has, by key; the first of an audit is no change."""
    return [
        StatusChange(
            window=stored.window,
            type=find_audit_type(stored.key).name,
            before=was,
            after=stored.result.status,
            description=stored.result.description,
        )
        for stored in results
        if (was := before.get(stored.key)) not in (None, stored.result.status)
    ]


class Notifier:
    """The configured webhook, told in the background: it may be slow or away, and no audit waits for it."""

    def __init__(self, config: NotifyConfig | None, *, pauses: Sequence[float] = PAUSES) -> None:
        self._config = config
        self._pauses = pauses
        self._closing = threading.Event()
        self._worker = ThreadPoolExecutor(1, "auditsvc-notify")

    def tell(self, changes: Sequence[StatusChange]) -> None:
        """Sends the changes, if there are any and somebody wants to know. What fails is logged."""
        if self._config is not None and changes:
            self._worker.submit(self._deliver, self._config, render_changes(changes, self._config.format))

    def close(self) -> None:
        """Makes the tries that are left, without a pause."""
        self._closing.set()
        self._worker.shutdown()

    def _deliver(self, config: NotifyConfig, message: Mapping[str, Any]) -> None:
        try:
            for pause in self._pauses:
                self._closing.wait(pause)
                trouble = _post(config.url, message)
                if trouble is None:
                    return
                log.warning("notification to %s: %s", urlsplit(config.url).hostname, trouble)
            log.error("notification to %s: given up", urlsplit(config.url).hostname)
        except Exception:  # a bug, and nobody waits for the result of this
            log.exception("notification to %s", urlsplit(config.url).hostname)


def render_changes(changes: Sequence[StatusChange], form: NotifyFormat) -> dict[str, Any]:
    """The body of a notification: our JSON, or a Slack message."""
    if form is NotifyFormat.SLACK:
        lines = [_slack_line(change) for change in changes[:_MOST_IN_SLACK]]
        if (more := len(changes) - len(lines)) > 0:
            lines.append(f"… and {more} more")
        return {"text": "\n".join(lines)}
    return {
        "changes": [
            {
                "window": {"start": _seconds(change.window.start), "end": _seconds(change.window.end)},
                "type": change.type,
                "before": change.before,
                "after": change.after,
                "description": change.description,
            }
            for change in changes
        ]
    }


def _seconds(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _slack_line(change: StatusChange) -> str:
    told = f"{change.window.start:%Y-%m-%d}: {change.before} → *{change.after}*"
    description = f" – {change.description}" if change.description else ""
    if len(description) > _LONGEST:
        description = f"{description[:_LONGEST]}…"
    # Slack's own three: https://docs.slack.dev/messaging/formatting-message-text
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        description = description.replace(character, entity)
    return f"{change.type} of {told}{description}"


def _post(url: str, message: Mapping[str, Any]) -> str | None:
    """What went wrong; None where the message was taken."""
    import requests

    try:
        # A redirect would turn the POST into a GET.
        answer = requests.post(url, json=message, timeout=_TIMEOUTS, allow_redirects=False)
    except requests.RequestException as error:
        path = urlsplit(url).path  # of a Slack webhook it is a secret
        return why(error).replace(path, "/…") if len(path) > 1 else why(error)
    return None if answer.status_code < 300 else f"{answer.status_code} {answer.reason}"
