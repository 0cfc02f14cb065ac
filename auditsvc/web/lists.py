"""The pending and the ineligible list over HTTP."""

from datetime import datetime
from typing import Any

from msgspec.structs import asdict

from auditsvc.schemas import (
    AtArgumentsSchema,
    HoldArgumentsSchema,
    ListDetailSchema,
    ListRecordSchema,
    enveloped,
)
from auditsvc.store.lists import ListKind, ListRecord
from auditsvc.web.blueprint import Blueprint, service
from auditsvc.web.uploads import read_document

blueprint = Blueprint(
    "lists",
    __name__,
    url_prefix="/lists",
    description="The community's lists: endpoints pending a conformance test, and those ineligible for one",
)

_PATH = f"/<any({', '.join(ListKind)}):kind>"
_KIND = {"name": "kind", "in": "path", "description": "Which of the two lists"}
_LIST = {
    "description": "A list in YAML: operationIds, or mappings with endpoint, reason and link. A list that "
    "does not parse is refused whole",
    "required": True,
    "content": {"application/yaml": {"schema": {"type": "string"}}},
}


@blueprint.put(_PATH, parameters=[_KIND])
@blueprint.doc(requestBody=_LIST)
@blueprint.query(HoldArgumentsSchema)
@blueprint.response(200, enveloped(ListRecordSchema))
@blueprint.alt_response(413, response="TOO_LARGE")
def put_list(kind: str, holds_from: datetime | None = None) -> ListRecord:
    """Uploads a list, which holds until the next upload of its kind"""
    return service.documents.put_list(ListKind(kind), read_document(), holds_from=holds_from)


@blueprint.get(_PATH, parameters=[_KIND])
@blueprint.query(AtArgumentsSchema)
@blueprint.response(200, enveloped(ListDetailSchema))
@blueprint.alt_response(404, response="NOT_FOUND")
def get_list(kind: str, at: datetime | None = None) -> dict[str, Any]:
    """The list that holds now, or held at a time

    At a time before the first upload, that is the first one.
    """
    record, entries = service.documents.list_of(ListKind(kind), at=at)
    return {**asdict(record), "endpoints": entries.entries}
