"""gunicorn's threaded worker, that slow clients cannot keep from serving others."""

import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

HEAD_SECONDS = 10
"""In so many seconds a request's line and headers must have arrived. Its body has a time of its own."""

ANSWER_SECONDS = 30
"""In so many seconds an answer must have been taken, from its first byte on: the largest have megabytes."""


_ENDING = (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)


@contextmanager
def blocked_signals() -> Iterator[None]:
    """Lets the signals that end a process wait."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)


class Worker(ThreadWorker):  # type: ignore[misc] # gunicorn has no types
    """Ends connections that take too long over headers or an answer: each holds one of a few threads."""

    wsgi: Any

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._heads: dict[socket.socket, float] = {}
        self._answers: dict[socket.socket, float] = {}

    def init_signals(self) -> None:
        """Handles the signals that were blocked since before the fork, and those to come."""
        super().init_signals()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)

    def load_wsgi(self) -> None:
        """Loads the app, whose answers are there as a whole before the first byte of them is sent."""
        super().load_wsgi()
        app = self.wsgi

        def answer(environ: dict[str, Any], start_response: Any) -> Any:
            body = app(environ, start_response)
            self._answers[environ["gunicorn.socket"]] = time.monotonic() + ANSWER_SECONDS
            return body

        self.wsgi = answer

    def handle(self, conn: Any) -> Any:
        """Reads a request and answers it, in a thread."""
        self._heads[conn.sock] = time.monotonic() + HEAD_SECONDS
        try:
            return super().handle(conn)
        finally:
            self._heads.pop(conn.sock, None)

    def handle_request(self, req: Any, conn: Any) -> Any:
        """Answers a request whose headers are there."""
        self._heads.pop(conn.sock, None)
        try:
            return super().handle_request(req, conn)
        finally:
            self._answers.pop(conn.sock, None)

    def notify(self) -> None:
        """Called about once a second by the main thread, which waits for no client."""
        super().notify()
        _end_late(self._heads, socket.SHUT_RD)  # that it was too slow may still be told
        _end_late(self._answers, socket.SHUT_RDWR)


def _end_late(ends: dict[socket.socket, float], how: int) -> None:
    now = time.monotonic()
    for sock, end in list(ends.items()):
        if now > end:
            with suppress(OSError):  # it is gone already
                sock.shutdown(how)
