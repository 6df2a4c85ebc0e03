"""The OpenAPI 3.1 document of the table of operations. Pure."""

import re
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Any, Final

import msgspec

from gateway.api.operations import JSON_TYPE, Content, Gives, Operation, Takes
from gateway.api.problems import PROBLEM_TYPE
from gateway.api.shapes import CallEvent, Problem

_REFERENCE: Final = "#/components/schemas/{name}"
_PATH_PARAMETER: Final = re.compile(r"{(\w+)}")
_PATH_WORDS: Final = {
    "call_id": "The call: `call_` and 20 hex digits.",
    "secret_id": "The secret's `id`, not the secret itself.",
    "to": "An agent, or a number of the dialplan.",
}
_WORDS: Final = {
    400: "The request is not what it should be; `param` names the part.",
    401: "No key, or one that is unknown or revoked.",
    403: "The key may not do this.",
    404: "There is no such thing, or no longer.",
    408: "The body did not come in time.",
    409: "Not possible in the state that the call is in.",
    413: "The body is too large.",
    415: "A body of another type is expected.",
    422: "Understood, but it cannot be done.",
    501: "The configuration does not provide for this.",
    502: "The other side failed.",
    504: "The other side did not answer in time.",
    503: "Not now; `Retry-After` says when.",
}
_DESCRIPTION: Final = (
    "Calls over phone lines and from browsers: see them, steer them, make them. Errors are problem "
    "details (RFC 9457). As long as no key is in force, programs on the gateway's own machine need none."
)
_NEEDS: Final = {
    "read": "Needs a key with the role read, operate or admin.",
    "operate": "Needs a key with the role operate or admin.",
    "admin": "Needs a key with the role admin.",
    "caller": "Needs a key with the role operate or admin, or the client secret or the person of the call.",
    "nobody": "Needs no key.",
}

Json = dict[str, Any]


def document(operations: Sequence[Operation], version: str) -> Json:
    """The whole document."""
    models = [CallEvent, Problem, *_models(operations)]
    schemas, components = msgspec.json.schema_components(models, ref_template=_REFERENCE)
    references = {_key(model): schema for model, schema in zip(models, schemas, strict=True)}
    paths: dict[str, Json] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation, references)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Voice gateway", "version": version, "description": _DESCRIPTION},
        "tags": [{"name": name} for name in dict.fromkeys(each.group for each in operations)],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }


def _key(model: Any) -> str:
    return repr(model)


def _models(operations: Iterable[Operation]) -> list[Any]:
    found: dict[str, Any] = {}
    for operation in operations:
        wanted = [operation.act.model] if isinstance(operation.act, Takes) else []
        wanted += [kind for content in operation.contents for kind in content.fields.values()]
        wanted += [parameter.kind for parameter in operation.parameters]
        wanted += [gives.model for gives in operation.gives if gives.model is not None]
        for model in wanted:
            found.setdefault(_key(model), model)
    return list(found.values())


def _operation(operation: Operation, references: Json) -> Json:
    needs = _NEEDS[operation.needs]
    shown: Json = {
        "operationId": operation.id,
        "tags": [operation.group],
        "summary": operation.summary,
        "description": f"{operation.details} {needs}".strip(),
        "security": [] if operation.needs == "nobody" else [{"key": []}],
        "responses": _responses(operation, references),
    }
    if parameters := _parameters(operation, references):
        shown["parameters"] = parameters
    if body := _body(operation, references):
        shown["requestBody"] = body
    return shown


def _parameters(operation: Operation, references: Json) -> list[Json]:
    in_path = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": _PATH_WORDS[name],
            "schema": {"type": "string"},
        }
        for name in _PATH_PARAMETER.findall(operation.path)
    ]
    others = [
        {
            "name": each.name,
            "in": each.where,
            "description": each.what,
            "schema": references[_key(each.kind)],
        }
        for each in operation.parameters
    ]
    return in_path + others


def _body(operation: Operation, references: Json) -> Json:
    if isinstance(operation.act, Takes):
        required = any(each.required for each in msgspec.structs.fields(operation.act.model))
        content = {JSON_TYPE: {"schema": references[_key(operation.act.model)]}}
        return {"required": required, "content": content}
    if operation.contents:
        content = {each.media_type: {"schema": _content(each, references)} for each in operation.contents}
        return {"required": True, "content": content}
    return {}


def _content(content: Content, references: Json) -> Json:
    if not content.fields:
        return {"type": "string"}
    fields = {name: references[_key(kind)] for name, kind in content.fields.items()}
    return {"type": "object", "properties": fields}


def _responses(operation: Operation, references: Json) -> Json:
    responses = {str(gives.status): _gives(gives, references) for gives in operation.gives}
    usual = {401, 403} if operation.needs != "nobody" else set()
    if isinstance(operation.act, Takes) or operation.contents:
        usual |= {400, 408, 413, 415}
    for status in sorted(usual | set(operation.fails) | {503} if usual else set(operation.fails)):
        responses[str(status)] = {
            "description": _WORDS[status],
            "content": {PROBLEM_TYPE: {"schema": references[_key(Problem)]}},
        }
    return responses


def _gives(gives: Gives, references: Json) -> Json:
    shown: Json = {"description": gives.what or HTTPStatus(gives.status).phrase}
    if gives.model is not None:
        shown["content"] = {JSON_TYPE: {"schema": references[_key(gives.model)]}}
    elif gives.media_type:
        shown["content"] = {gives.media_type: {"schema": {"type": "string"}}}
    if gives.headers:
        shown["headers"] = {
            name: {"description": what, "schema": {"type": "string"}} for name, what in gives.headers.items()
        }
    return shown
