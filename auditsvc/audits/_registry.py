"""How an audit is declared: what it yields, and the registry of the types."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any, get_type_hints

import msgspec

from auditsvc.audits._inputs import Inputs
from auditsvc.errors import RequestError

KUBECOST_KEYS = (
    "allocationReconciliation",
    "allocationAgg",
    "allocationTotal",
    "assetTotal",
    "assetReconciliation",
    "clusterEquality",
)


class Compared(msgspec.Struct, frozen=True):
    """Two values that must agree. Counts are compared exactly, floats within the configured tolerance.

    ``allowed`` replaces that tolerance with an absolute difference. ``path`` leads into ``map``. Where the
    two differ, ``detail`` says what makes the difference and ``resolution`` what to do about it, and ``note``
    joins the description. ``keys`` are the things that make up the difference of two counts, each one of it,
    where it consists of such: they can be waived one by one.
    """

    map: str
    path: tuple[str, ...]
    expected: float
    actual: float
    detail: str = ""
    resolution: str = ""
    allowed: float | None = None
    keys: tuple[str, ...] = ()
    note: str = ""


class Missing(msgspec.Struct, frozen=True):
    """A value that should be there and is not: a soft finding."""

    key: str
    description: str
    resolution: str = ""


class Note(msgspec.Struct, frozen=True):
    """A sentence for the result's description."""

    text: str


class Section(msgspec.Struct, frozen=True):
    """A first-level key that a map shows even when nothing under it differs."""

    map: str
    key: str


class Tolerance(msgspec.Struct, frozen=True):
    """What a check's comparisons allow, by name; the result states it."""

    values: Mapping[str, float]


Observation = Compared | Missing | Note | Section | Tolerance
Check = Callable[..., Iterator[Observation]]


class AuditType(msgspec.Struct, frozen=True):
    """A registered audit: its public name, its key in an AuditSet, its maps, and its function.

    ``parameters`` are the members of Inputs that it takes; without those in ``optional`` ever having been
    received it runs all the same.
    """

    name: str
    key: str
    maps: tuple[str, ...]
    description: str
    parameters: tuple[str, ...]
    optional: frozenset[str]
    check: Check

    @property
    def sources(self) -> tuple[str, ...]:
        """The kinds of source that it looks at; the window and the settings are always there."""
        return tuple(name for name in self.parameters if name not in ("window", "settings"))

    @property
    def required(self) -> tuple[str, ...]:
        """The sources that it cannot do without."""
        return tuple(source for source in self.sources if source not in self.optional)


_registered: dict[str, AuditType] = {}


def audit(
    name: str, *, key: str, maps: tuple[str, ...], optional: tuple[str, ...] = ()
) -> Callable[[Check], Check]:
    """Registers a check as an audit type.

    Its parameters must be members of Inputs, by name and type; its docstring's first line is the
    description that users see. Raises TypeError at import where that is not so.
    """

    def register(check: Check) -> Check:
        parameters = _checked_parameters(name, check)
        description = (check.__doc__ or "").strip().partition("\n")[0]
        if not description or name in _registered or key in {known.key for known in _registered.values()}:
            raise TypeError(f"{name}: needs a docstring, and a name and key of its own")
        if unknown := set(optional) - set(parameters):
            raise TypeError(f"{name}: optional {sorted(unknown)} are no parameters of its check")
        _registered[name] = AuditType(name, key, maps, description, parameters, frozenset(optional), check)
        return check

    return register


def audit_types() -> tuple[AuditType, ...]:
    """Every registered type: Kubecost's six in its order, then ours by key."""

    def position(known: AuditType) -> tuple[int, str]:
        kubecost = known.key in KUBECOST_KEYS
        return (KUBECOST_KEYS.index(known.key) if kubecost else len(KUBECOST_KEYS)), known.key

    return tuple(sorted(_registered.values(), key=position))


def audit_names() -> Mapping[str, str]:
    """The types' names, by name and by key."""
    return {text: known.name for known in audit_types() for text in (known.name, known.key)}


def find_audit_type(text: str) -> AuditType:
    """The type of that name or key; RequestError with the list of them where there is none."""
    for known in audit_types():
        if text in (known.name, known.key):
            return known
    names = ", ".join(known.name for known in audit_types())
    raise RequestError(f"unknown audit type: {text} (known are {names})")


def _checked_parameters(name: str, check: Check) -> tuple[str, ...]:
    offered = _input_types()
    hints = get_type_hints(check)
    for parameter in inspect.signature(check).parameters:
        if parameter not in offered:
            raise TypeError(f"{name}: Inputs has no member {parameter!r} (it has {', '.join(offered)})")
        if hints.get(parameter) != offered[parameter]:
            raise TypeError(f"{name}: {parameter!r} is a {offered[parameter]} in Inputs")
    return tuple(inspect.signature(check).parameters)


def _input_types() -> Mapping[str, Any]:
    """The members of Inputs that a check may take, with their types."""
    members = {name: member for name, member in vars(Inputs).items() if isinstance(member, property)}
    return {name: get_type_hints(member.fget)["return"] for name, member in members.items()}
