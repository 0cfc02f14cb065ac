"""Everything that can go wrong on purpose; whatever else is raised is a bug and keeps its traceback.

::

    AuditsvcError                 exit 2
    ├── RequestError              400  asks for something impossible: an unknown type, a missing commit
    │   ├── WindowError           400  "illegal window: …"
    │   ├── NotFoundError         404  an unknown run, job, swagger
    │   ├── ConflictError         409  would break what is stored
    │   └── TooLargeError         413  over a configured limit
    ├── InputError                400  a log, document or list that is not what it should be
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


class InputError(AuditsvcError):
    """A log, document or list that is not what it should be."""


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
    """A worker process that died before its part was done."""
