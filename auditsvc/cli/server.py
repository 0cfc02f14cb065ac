"""The production server: gunicorn around the app."""

import errno
import os
import socket
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication

from auditsvc.config import Config
from auditsvc.errors import ConflictError, RequestError
from auditsvc.scheduler import start_scheduler
from auditsvc.service import open_service
from auditsvc.web import create_app

GRACE_SECONDS = 8
"""For what is under way when the server is told to stop: it ends within ten."""

_SILENCE_SECONDS = 60
"""For so long may a worker's main thread give no sign before it is killed. That thread only hands requests to
others, so no upload or audit is too long."""

_LONGEST_LINE = 8190
"""Bytes of a request line or header: gunicorn's most, and other servers' usual."""

_MEMORY = Path("/dev/shm")  # noqa: S108 - only asked whether it is there


def listen(host: str, port: int) -> socket.socket:
    """A socket at that address (port 0: a free one), taken before any work is done for nothing.

    Raises ConflictError where another process has it, RequestError for any other reason.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ConflictError(
                f"{host}:{port} is in use: end what listens there, or choose another --port (0: a free one)"
            ) from error
        reason = str(error.strerror).partition(" (while")[0]
        raise RequestError(f"cannot listen on {host}:{port}: {reason}") from error


def address_of(listener: socket.socket) -> str:
    """Its URL."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def serve_forever(config: Config, listener: socket.socket, *, threads: int, workers: int = 1) -> int:
    """Serves until SIGTERM or Ctrl-C, and returns the exit code; workers leave by SystemExit.

    The store is opened and brought up to date first, so that what is wrong with it is told here and once.
    """
    with open_service(config) as service:
        service.recover()
    parent = os.getpid()
    try:
        _Server(config, listener, threads=threads, workers=workers).run()
    except SystemExit as end:
        if os.getpid() != parent:
            raise
        # gunicorn's codes say why (3: no worker could start, which is in the log); ours mean something else.
        return 2 if end.code else 0
    return 0


class _Server(BaseApplication):  # type: ignore[misc] # gunicorn has no types
    """gunicorn with our app, configured here alone."""

    def __init__(self, config: Config, listener: socket.socket, *, threads: int, workers: int) -> None:
        self._config = config
        self._stack = ExitStack()
        self._settings: dict[str, Any] = {
            "bind": f"fd://{listener.detach()}",
            "worker_class": "gthread",
            "workers": workers,
            "threads": threads,
            "timeout": _SILENCE_SECONDS,
            "graceful_timeout": GRACE_SECONDS,
            "limit_request_line": _LONGEST_LINE,
            "limit_request_field_size": _LONGEST_LINE,
            # It would be a file in the home folder, or in the way of a second server.
            "control_socket_disable": True,
            # A disk that is slow must not look like a worker that is silent.
            "worker_tmp_dir": str(_MEMORY) if _MEMORY.is_dir() else None,
            "loglevel": "warning",
            "worker_exit": self._close,
        }
        super().__init__()

    def load_config(self) -> None:
        """Tells gunicorn the settings; it reads no file and no command line."""
        for name, value in self._settings.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        """The app; gunicorn calls this in the worker, after the fork: a connection must not be shared."""
        service = self._stack.enter_context(open_service(self._config))
        if self.cfg.workers == 1:
            # A worker that was killed leaves its work behind; with several, another may be at its own.
            service.recover()
        self._stack.enter_context(start_scheduler(service))
        return create_app(service)

    def _close(self, _arbiter: object, _worker: object) -> None:
        self._stack.close()
