"""The production server: gunicorn around the app."""

import errno
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from ipaddress import ip_address
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter

from auditsvc.cli.logs import GunicornLogger
from auditsvc.cli.worker import Worker, blocked_signals
from auditsvc.config import Config
from auditsvc.errors import ConflictError, RequestError, StoreError
from auditsvc.scheduler import start_scheduler
from auditsvc.service import open_service

GRACE_SECONDS = 7
"""For what is under way when the server is told to stop: it ends within ten, after which others kill it."""

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


def require_tokens(config: Config, listener: socket.socket) -> None:
    """ConfigError where the listener can be reached from elsewhere and nobody would be asked for a token."""
    host = listener.getsockname()[0]
    if not ip_address(host).is_loopback:
        with open_service(config) as service:
            service.access.require_for(host)


def serve_forever(
    config: Config, listener: socket.socket, *, threads: int, workers: int = 1, insecure: bool = False
) -> int:
    """Serves a store that was opened before, until SIGTERM or Ctrl-C; workers leave by SystemExit.

    ``insecure`` is as for the app. Returns the exit code.
    """
    code = _serve(config, listener, threads=threads, workers=workers, insecure=insecure)
    with suppress(ChildProcessError):
        while True:  # a worker that did not end in time was killed at its work, and gunicorn waits for none
            os.wait()
    with suppress(StoreError):
        recover(config)
    return code


def recover(config: Config) -> None:
    """Brings the store up to date, and puts right what killed processes left.

    Raises StoreError. Done before anything is served, so that what is wrong is told here and once.
    """
    with open_service(config) as service:
        service.recover()


def _serve(config: Config, listener: socket.socket, *, threads: int, workers: int, insecure: bool) -> int:
    parent = os.getpid()
    try:
        with _counted_together(workers):
            _Server(config, listener, threads=threads, workers=workers, insecure=insecure).run()
    except SystemExit as end:
        if os.getpid() != parent:
            raise
        # gunicorn's codes say why (3: no worker could start, which is in the log); ours mean something else.
        return 2 if end.code else 0
    return 0


def _memory() -> str | None:
    return str(_MEMORY) if _MEMORY.is_dir() else None


@contextmanager
def _counted_together(workers: int) -> Iterator[None]:
    """Makes the metrics of several workers one: each asks all, in a folder that goes with the server.

    A single worker needs none, for what it counted is all there is.
    """
    if workers == 1:
        yield
        return
    maker, folder = os.getpid(), mkdtemp(prefix="auditsvc-metrics-", dir=_memory())
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder  # prometheus-client's only way to be told
    try:
        yield
    finally:
        if os.getpid() == maker:  # and no worker on its way out
            shutil.rmtree(folder, ignore_errors=True)


class _Arbiter(Arbiter):  # type: ignore[misc] # gunicorn has no types
    """gunicorn's main process, that can tell a worker to end from its first moment on."""

    def spawn_worker(self) -> Any:
        """Forks a worker.

        A signal that comes between the fork and the worker's own handlers would be lost in those that it
        inherits, and the worker be killed later: so the signal waits until the worker is ready for it.
        """
        with blocked_signals():
            return super().spawn_worker()


class _Server(BaseApplication):  # type: ignore[misc] # gunicorn has no types
    """gunicorn with our app, configured here alone."""

    def __init__(
        self, config: Config, listener: socket.socket, *, threads: int, workers: int, insecure: bool
    ) -> None:
        self._config = config
        self._insecure = insecure
        self._stack = ExitStack()
        self._settings: dict[str, Any] = {
            "bind": f"fd://{listener.detach()}",
            "worker_class": Worker,
            "workers": workers,
            "threads": threads,
            "timeout": _SILENCE_SECONDS,
            "graceful_timeout": GRACE_SECONDS,
            "limit_request_line": _LONGEST_LINE,
            "limit_request_field_size": _LONGEST_LINE,
            # It would be a file in the home folder, or in the way of a second server.
            "control_socket_disable": True,
            # A disk that is slow must not look like a worker that is silent.
            "worker_tmp_dir": _memory(),
            "logger_class": GunicornLogger,
            "worker_exit": self._close,
        }
        super().__init__()

    def load_config(self) -> None:
        """Tells gunicorn the settings; it reads no file and no command line."""
        for name, value in self._settings.items():
            self.cfg.set(name, value)

    def run(self) -> None:
        """Serves until told to end."""
        _Arbiter(self).run()

    def load(self) -> Flask:
        """The app; gunicorn calls this in the worker, after the fork: a connection must not be shared."""
        service = self._stack.enter_context(open_service(self._config))
        service.recover()  # this may be in the place of a worker that was killed
        self._stack.enter_context(start_scheduler(service))
        # Imported here, when the metrics' folder is known: prometheus-client asks for it once, on import.
        from auditsvc.web import create_app

        return create_app(service, insecure=self._insecure)

    def _close(self, _arbiter: object, _worker: object) -> None:
        self._stack.close()
