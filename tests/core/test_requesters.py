import pytest

from auditsvc.core.requesters import Requester, RequestFilter, SplitBy, decode_requester, split_value
from tests.logs import event

ACCOUNT = {"username": "system:serviceaccount:argocd:argocd-server"}
IN_ARGOCD = {"resource": "pods", "namespace": "argocd"}


def requester(**members: object) -> Requester:
    """Who made a request that was logged so."""
    found = decode_requester(event(**members))  # type: ignore[arg-type]  # members of the event
    assert found is not None
    return found


class TestRequester:
    """Who made a request, and where."""

    @pytest.mark.parametrize("line", [b"", b"{}", b"[1]", b"x", b'{"stage": "\xff"}', b"[" * 5000])
    def test_no_event(self, line: bytes) -> None:
        """Of a line that is no audit event nobody knows."""
        assert decode_requester(line) is None

    @pytest.mark.parametrize(
        ("agent", "family"), [("argocd/v3 (linux)", "argocd"), ("curl", "curl"), (None, "none"), ("", "none")]
    )
    def test_family(self, agent: str | None, family: str) -> None:
        """A user agent's family is the program that it names."""
        assert requester(agent=agent).family == family

    @pytest.mark.parametrize(
        ("members", "namespace"),
        [
            ({"objectRef": IN_ARGOCD, "uri": "/api/v1/namespaces/other/pods"}, "argocd"),
            ({"objectRef": {"resource": "nodes"}}, None),
            ({"uri": "/api/v1/namespaces/argocd/pods?watch=1"}, "argocd"),
            ({"uri": "/api/v1/namespaces/argocd"}, "argocd"),
            ({"uri": "/api/v1/namespaces/argocd?x"}, "argocd"),
            ({"uri": "/apis/apps/v1/watch/namespaces/argocd/deployments"}, "argocd"),
            ({"uri": "/apis/x/v1/things/namespaces/argocd"}, None),
            ({"uri": "/api/v1/namespaces"}, None),
            ({"uri": "/healthz"}, None),
        ],
    )
    def test_namespace(self, members: dict[str, object], namespace: str | None) -> None:
        """The namespace is the object's, else the path's."""
        assert requester(**members).namespace == namespace

    @pytest.mark.parametrize(
        ("members", "account"),
        [
            ({"user": ACCOUNT}, "argocd:argocd-server"),
            ({"user": {"username": "admin"}, "impersonatedUser": ACCOUNT}, "argocd:argocd-server"),
            ({"user": ACCOUNT, "impersonatedUser": {"username": "jane"}}, None),
            ({"user": {"username": "jane"}}, None),
            ({"user": {}}, None),
            ({"user": None}, None),
        ],
    )
    def test_service_account(self, members: dict[str, object], account: str | None) -> None:
        """The service account is the one whose rights were used."""
        assert requester(**members).service_account == account


class TestRequestFilter:
    """An application's requests."""

    @pytest.mark.parametrize(
        ("wanted", "fits"),
        [
            (RequestFilter(), True),
            (RequestFilter(agent="argocd"), True),
            (RequestFilter(agent="argocd/v3"), True),
            (RequestFilter(agent="gocd"), False),
            (RequestFilter(namespace="argocd"), True),
            (RequestFilter(namespace="argo"), False),
            (RequestFilter(service_account="argocd:argocd-server"), True),
            (RequestFilter(service_account="argocd"), False),
            (RequestFilter("argocd", "argocd", "argocd:argocd-server"), True),
            (RequestFilter("argocd", "other", "argocd:argocd-server"), False),
        ],
    )
    def test_fits(self, wanted: RequestFilter, *, fits: bool) -> None:
        """A request must fit all that is given."""
        made = requester(agent="argocd/v3.0", user=ACCOUNT, objectRef=IN_ARGOCD)
        assert wanted.fits(made) is fits

    def test_no_agent(self) -> None:
        """A request without a user agent starts with none."""
        assert not RequestFilter(agent="a").fits(requester(agent=None))

    def test_named(self) -> None:
        """It says what it looks for, and whether it looks for anything."""
        assert str(RequestFilter("kubectl", None, "a:b")) == "agent kubectl, service account a:b"
        assert RequestFilter(namespace="x")
        assert not RequestFilter()


@pytest.mark.parametrize(
    ("by", "value"),
    [
        (SplitBy.AGENT, "argocd"),
        (SplitBy.NAMESPACE, "argocd"),
        (SplitBy.SERVICE_ACCOUNT, "argocd:argocd-server"),
    ],
)
def test_split_value(by: SplitBy, value: str) -> None:
    """A log is split by what is asked for."""
    assert split_value(requester(agent="argocd/v3.0", user=ACCOUNT, objectRef=IN_ARGOCD), by) == value
