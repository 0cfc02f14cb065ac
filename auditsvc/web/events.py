"""The events of live clusters over HTTP: Kubernetes' audit webhook."""

from auditsvc.core.event_list import API_VERSION
from auditsvc.schemas import (
    VERSION,
    EventsArgumentsSchema,
    ReceivedSchema,
    WebhookArgumentsSchema,
    enveloped,
)
from auditsvc.service.live import Received
from auditsvc.web.blueprint import Blueprint, service
from auditsvc.web.uploads import read_document

blueprint = Blueprint(
    "events", __name__, url_prefix="/events", description="The audit events of live clusters, as they happen"
)

_CLUSTER = {
    "name": "cluster",
    "in": "path",
    "description": "A label of the cluster",
    "schema": {"type": "string", "minLength": 1, "maxLength": 250, "examples": ["production"]},
}
_VERSION = {
    "name": "version",
    "in": "path",
    "description": "The cluster's version",
    "schema": {"type": "string", "pattern": VERSION, "examples": ["v1.34.0"]},
}
_BODY = {
    "description": "An `audit.k8s.io/v1` EventList in JSON, plain or packed",
    "required": True,
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["kind", "apiVersion", "items"],
                "properties": {
                    "kind": {"type": "string", "enum": ["EventList"]},
                    "apiVersion": {"type": "string", "enum": [API_VERSION]},
                    "items": {"type": "array", "items": {"type": "object"}},
                },
            }
        }
    },
}


@blueprint.post("")
@blueprint.doc(requestBody=_BODY)
@blueprint.query(EventsArgumentsSchema)
@blueprint.response(200, enveloped(ReceivedSchema), description="They are safely stored")
@blueprint.alt_response(413, response="TOO_LARGE")
def add_events(cluster: str | None = None, version: str | None = None, **_: str) -> Received:
    """Takes in audit events, as an API server's audit webhook sends them

    They become a run of kind `live`, one for each cluster and UTC day. A request counts once, in whatever
    batches its stages come, and a batch that is sent again counts for nothing. An API server leaves out the
    query of the URL that it is given: there, name the cluster in the path.
    """
    return service.live.add(read_document(), cluster=cluster, version=version)


@blueprint.post("/<cluster>", parameters=[_CLUSTER])
@blueprint.doc(requestBody=_BODY)
@blueprint.query(WebhookArgumentsSchema)
@blueprint.response(200, enveloped(ReceivedSchema), description="They are safely stored")
@blueprint.alt_response(413, response="TOO_LARGE")
def add_events_of_cluster(cluster: str, **_: str) -> Received:
    """Takes in the audit events of a cluster of the highest version that is stored"""
    return service.live.add(read_document(), cluster=cluster)


@blueprint.post("/<cluster>/<version>", parameters=[_CLUSTER, _VERSION])
@blueprint.doc(requestBody=_BODY)
@blueprint.query(WebhookArgumentsSchema)
@blueprint.response(200, enveloped(ReceivedSchema), description="They are safely stored")
@blueprint.alt_response(413, response="TOO_LARGE")
def add_events_of_version(cluster: str, version: str, **_: str) -> Received:
    """Takes in the audit events of a cluster of a version"""
    return service.live.add(read_document(), cluster=cluster, version=version)
