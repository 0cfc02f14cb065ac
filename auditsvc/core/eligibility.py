"""Which operations conformance asks for: how a swagger narrows down to the eligible ones."""

from collections.abc import Iterable

import msgspec

from auditsvc.core.endpoints import EndpointLists
from auditsvc.core.swagger import Level, Operation, Swagger


class Ledger(msgspec.Struct, frozen=True):
    """The operations of a swagger, narrowed down step by step: each set is a part of the one before."""

    operations: frozenset[str]
    observable: frozenset[str]
    current: frozenset[str]
    stable: frozenset[str]
    eligible: frozenset[str]


def narrow(swagger: Swagger, lists: EndpointLists, *, imported: bool) -> Ledger:
    """Which operations are observable, of these not deprecated, of these stable, of these eligible.

    ``imported`` says that the usage they will be held against came from another tool's report.
    """
    operations = swagger.operations.values()
    observable = [operation for operation in operations if is_observable(operation, imported=imported)]
    current = [operation for operation in observable if not operation.deprecated]
    stable = [operation for operation in current if operation.level is Level.STABLE]
    eligible = _ids(stable) - lists.ineligible.names
    return Ledger(_ids(operations), _ids(observable), _ids(current), _ids(stable), eligible)


def is_observable(operation: Operation, *, imported: bool) -> bool:
    """Whether its requests can be told from a log or, with ``imported``, from test-infra's report.

    Its parser never looks for OPTIONS.
    """
    return operation.observable and not (imported and operation.method == "OPTIONS")


def is_reported(operation_id: str, swagger: Swagger, lists: EndpointLists) -> bool:
    """Whether test-infra's report may hold it: deprecated, pending and ineligible operations are left out.

    A name that the swagger does not know may be there: its parser makes some up.
    """
    if operation_id in lists.pending or operation_id in lists.ineligible:
        return False
    operation = swagger.get(operation_id)
    return operation is None or (not operation.deprecated and is_observable(operation, imported=True))


def out_of_scope(operation_id: str, swagger: Swagger) -> str | None:
    """Why it is nothing to conformance, to follow "is": ``deprecated``, ``beta``, …; None where it is."""
    operation = swagger.get(operation_id)
    if operation is None:
        return "not in the swagger"
    if operation.deprecated:
        return "deprecated"
    return None if operation.level is Level.STABLE else str(operation.level)


def excuse(operation_id: str, swagger: Swagger, lists: EndpointLists) -> str | None:
    """Why no run needs to exercise it, to follow "is"; None for an operation that a run should exercise."""
    if reason := out_of_scope(operation_id, swagger):
        return reason
    if operation_id in lists.ineligible:
        return "ineligible"
    return "pending" if operation_id in lists.pending else None


def _ids(operations: Iterable[Operation]) -> frozenset[str]:
    return frozenset(operation.id for operation in operations)
