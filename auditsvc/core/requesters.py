"""Who made the requests of an audit log: what tells one application's requests from another's."""

import re
from collections.abc import Callable
from enum import StrEnum

import msgspec

from auditsvc.core.tally import agent_family

_ACCOUNT = "system:serviceaccount:"
_NAMESPACE = re.compile(r"/(?:api|apis/[^/?]+)/[^/?]+/(?:watch/)?namespaces/([^/?]+)")


class SplitBy(StrEnum):
    """What the requests of one application have in common."""

    AGENT = "agent"
    NAMESPACE = "namespace"
    SERVICE_ACCOUNT = "service-account"


class _User(msgspec.Struct, gc=False):
    username: str | None = None


class _Object(msgspec.Struct, gc=False):
    namespace: str | None = None


class Requester(msgspec.Struct, gc=False):
    """Who made a request, and where."""

    stage: str
    uri: str = msgspec.field(name="requestURI")
    agent: str | None = msgspec.field(default=None, name="userAgent")
    user: _User | None = None
    impersonated: _User | None = msgspec.field(default=None, name="impersonatedUser")
    object: _Object | None = msgspec.field(default=None, name="objectRef")

    @property
    def family(self) -> str:
        """The user agent's family; ``none`` without an agent."""
        return agent_family(self.agent)

    @property
    def namespace(self) -> str | None:
        """The namespace of the object, by its reference or else by the path; None of a cluster's own."""
        if self.object is not None:
            return self.object.namespace
        found = _NAMESPACE.match(self.uri)
        return found and found[1]

    @property
    def service_account(self) -> str | None:
        """``NS:NAME`` of the service account with whose rights it was made; None of any other user.

        That is the impersonated user where there is one: who stands before the API server for others
        acts with their rights, not with its own.
        """
        user = self.impersonated or self.user
        name = (user and user.username) or ""
        return name.removeprefix(_ACCOUNT) if name.startswith(_ACCOUNT) else None


_SPLIT: dict[SplitBy, Callable[[Requester], str | None]] = {
    SplitBy.AGENT: lambda requester: requester.family,
    SplitBy.NAMESPACE: lambda requester: requester.namespace,
    SplitBy.SERVICE_ACCOUNT: lambda requester: requester.service_account,
}
_decoder = msgspec.json.Decoder(Requester)


class RequestFilter(msgspec.Struct, frozen=True):
    """An application's requests: those that fit all that is given.

    ``agent`` is how the user agent starts, ``namespace`` and ``service_account`` (``NS:NAME``) are exact.
    """

    agent: str | None = None
    namespace: str | None = None
    service_account: str | None = None

    def __bool__(self) -> bool:
        return self != RequestFilter()

    def __str__(self) -> str:
        given = {
            "agent": self.agent,
            "namespace": self.namespace,
            "service account": self.service_account,
        }
        return ", ".join(f"{name} {value}" for name, value in given.items() if value is not None)

    def fits(self, requester: Requester) -> bool:
        """Whether a request is one of them."""
        return (
            (self.agent is None or (requester.agent or "").startswith(self.agent))
            and self.namespace in (None, requester.namespace)
            and self.service_account in (None, requester.service_account)
        )


def split_value(requester: Requester, by: SplitBy) -> str | None:
    """The application that a request is one of; None where it is of none."""
    return _SPLIT[by](requester)


def decode_requester(line: bytes) -> Requester | None:
    """Who made the request of one line; None where it is no audit event."""
    try:
        return _decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
