"""Everything that can go wrong on purpose; whatever else is raised is a bug and keeps its traceback.

::

    AuditsvcError                 exit 2
    ├── RequestError              400  asks for something impossible: an unknown type, a missing commit
    │   ├── WindowError           400  "illegal window: …"
    │   ├── NotFoundError         404  an unknown run, job, swagger
    │   ├── ConflictError         409  would break what is stored
    │   ├── TooLargeError         413  over a configured limit
    │   ├── TooSlowError          408  an upload that takes longer than configured
    │   ├── UnauthorizedError     401  no token, or none that holds
    │   ├── ForbiddenError        403  a token that does not allow it
    │   └── TooManyError          429  more requests than configured
    ├── InputError                400  a log, document or list that is not what it should be
    │   ├── EmptyLogError         400  a log that nothing was written to
    │   └── ParseError            400  … and says where
    ├── NoDataError                    a source holds nothing for the window: the audit that asked is Failed
    ├── FetchError                502  a URL that could not be read
    ├── ConfigError                    the configuration file or an AUDITSVC_… variable
    ├── StoreError                503  the store cannot be opened, read or written
    └── WorkerError               500  a worker process died

Each message is one line: what was wrong and, where that helps, what to do. The HTTP statuses are
kept in :mod:`auditsvc.web.errors`; the command line turns every one of these into exit code 2.
"""


class AuditsvcError(Exception):
    """The root: something a user can be told in one line."""


class RequestError(AuditsvcError):
    """A request that asks for something impossible."""


class WindowError(RequestError):
    """A window that cannot be read, is reversed or is empty."""


class NotFoundError(RequestError):
    """A run, job, swagger or operation that the store does not know."""


class ConflictError(RequestError):
    """A change that what is stored forbids."""


class TooLargeError(RequestError):
    """More bytes than the configured limit."""


class TooSlowError(RequestError):
    """An upload that takes longer than the configured limit."""


class UnauthorizedError(RequestError):
    """No token where one is needed, or one that is unknown, expired or revoked."""


class ForbiddenError(RequestError):
    """Something that this token does not allow, or that another site's page asks for."""


class TooManyError(RequestError):
    """More requests than the configured limit; the next one may come in ``retry_after`` seconds."""

    def __init__(self, message: str, *, retry_after: int = 1) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class InputError(AuditsvcError):
    """A log, document or list that is not what it should be."""


class EmptyLogError(InputError):
    """A log that nothing was written to."""


class ParseError(InputError):
    """A document that does not parse; the message says where."""


class NoDataError(AuditsvcError):
    """A source that holds nothing for the window."""


class FetchError(AuditsvcError):
    """A path or URL that could not be read."""


class ConfigError(AuditsvcError):
    """A configuration file or environment variable that cannot be used."""


class StoreError(AuditsvcError):
    """A store that cannot be opened, read or written."""


class WorkerError(AuditsvcError):
    """A worker process that died before its part was done, or could not hand it on."""
