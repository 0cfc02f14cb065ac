"""Access tokens over HTTP: for an admin, who so needs no shell where the server runs."""

from http import HTTPStatus
from typing import Any

from msgspec.structs import asdict

from auditsvc.schemas import (
    NewTokenSchema,
    NullResponseSchema,
    Page,
    PageArgumentsSchema,
    TokenOrderSchema,
    TokenSchema,
    enveloped,
    paged,
)
from auditsvc.service.access import parse_lifetime
from auditsvc.store.tokens import Role
from auditsvc.web.blueprint import URLENCODED, Blueprint, service

blueprint = Blueprint("tokens", __name__, url_prefix="/tokens", description="Access tokens: who may do what")

_TOKEN_ID = {
    "name": "token_id",
    "in": "path",
    "description": "A token's id",
    "schema": {"type": "string", "minLength": 1, "examples": ["4f1d2c3b9a80"]},
}


class TokenFormSchema(TokenOrderSchema):
    """What a new token is for."""

    forms = frozenset({URLENCODED})


@blueprint.get("")
@blueprint.query(PageArgumentsSchema)
@blueprint.response(200, paged(TokenSchema))
def list_tokens(limit: int, offset: int) -> Page:
    """The tokens, newest first, those that were revoked included"""
    tokens = service.access.tokens()
    return Page(data=tokens[offset : offset + limit], total=len(tokens), limit=limit, offset=offset)


@blueprint.post("")
@blueprint.query(TokenFormSchema)
@blueprint.response(201, enveloped(NewTokenSchema), description="The token, which is told this once")
def create_token(
    role: str, name: str | None = None, expires: str | None = None
) -> tuple[dict[str, Any], int]:
    """Makes a token

    It holds at once. The first one is made by `auditsvc token create`, or is `AUDITSVC_ADMIN_TOKEN`.
    """
    lifetime = parse_lifetime(expires) if expires else None
    token, text = service.access.create(Role(role), name=name, lifetime=lifetime)
    return {**asdict(token), "token": text}, HTTPStatus.CREATED


@blueprint.delete("/<token_id>", parameters=[_TOKEN_ID])
@blueprint.response(200, NullResponseSchema)
@blueprint.alt_response(404, response="NOT_FOUND")
def revoke_token(token_id: str) -> None:
    """Revokes a token, at once and for good"""
    service.access.revoke(token_id)
