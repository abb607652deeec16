"""The OpenAPI document, made from the types that are taken and answered."""

from collections.abc import Mapping, Sequence
from inspect import cleandoc

import msgspec

from phasegate import __version__
from phasegate.gcp.envelope import PushBody
from phasegate.messages import CompletionMessage
from phasegate.web.bodies import BuildAnswer, ErrorAnswer, Extras, LiveAnswer, ReadyAnswer
from phasegate.web.endpoints import ENDPOINTS, Endpoint

REF = "#/components/schemas/{name}"
ERRORS: Mapping[int, str] = {
    400: "The body or what it names is wrong; the text says where, and what to do.",
    401: "No valid credential.",
    403: "The caller may not do this.",
    404: "There is no such run, step or phase.",
    408: "The body did not arrive in time.",
    409: "Held by another caller, or the lease was lost.",
    413: "The body is too large.",
    414: "The path is too long.",
    429: "Too much at once, or from this caller: nothing was done; send it again after `Retry-After`.",
    431: "The headers are too large.",
    500: "A stored document cannot be read, or a bug; the log names it by the id in `request`.",
    503: "The store or the warehouse cannot be reached, or the service stops: send it again.",
}
PLAIN = (
    ("/live", "Whether the process answers", LiveAnswer),
    ("/ready", "Whether the store answers", ReadyAnswer),
    ("/build", "What runs here", BuildAnswer),
)


def document() -> dict[str, object]:
    """Return the OpenAPI 3.1 document.

    >>> document()["openapi"]
    '3.1.1'
    """
    return {
        "openapi": "3.1.1",
        "info": {
            "title": "Phasegate",
            "version": __version__,
            "description": "Hand-offs between the phases of a data pipeline. 2xx means done, or durably recorded.",
        },
        "security": [{"credential": []}],
        "paths": {
            **{one.path: {"post": _operation(one)} for one in ENDPOINTS},
            **{path: {"get": _plain(path, title, answer)} for path, title, answer in PLAIN},
            "/metrics": {"get": _metrics()},
            "/openapi.json": {"get": _itself()},
        },
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {
                "credential": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An access token of `phasegate tokens add`, or an ID token that Google signed.",
                }
            },
        },
    }


def _operation(endpoint: Endpoint) -> dict[str, object]:
    found: dict[str, object] = {
        "operationId": endpoint.handle.__name__ + ("_phase3" if endpoint.path.endswith("-phase3") else ""),
        "summary": endpoint.title,
        "description": f"{endpoint.text} Role: {endpoint.role}.",
        "requestBody": {"required": True, "content": _json([endpoint.body])},
        "responses": _responses(endpoint),
    }
    if "{step}" in endpoint.path:
        found["parameters"] = [{"name": "step", "in": "path", "required": True,
                                "schema": {"type": "string", "minLength": 1, "maxLength": 200}}]  # fmt: skip
    return found


def _responses(endpoint: Endpoint) -> dict[str, object]:
    found: dict[str, object] = {}
    for status in sorted({*endpoint.answers, *ERRORS}):
        kinds: list[type] = [*endpoint.answers.get(status, ()), *([ErrorAnswer] if status in ERRORS else [])]
        text = ERRORS.get(status, "Done, or durably recorded.")
        found[str(status)] = {"description": text, **({"content": _json(kinds)} if kinds else {})}
    return found


def _json(kinds: Sequence[type]) -> dict[str, object]:
    refs = [{"$ref": REF.format(name=one.__name__)} for one in kinds]
    return {"application/json": {"schema": refs[0] if len(refs) == 1 else {"anyOf": refs}}}


def _plain(path: str, title: str, answer: type) -> dict[str, object]:
    responses: dict[str, object] = {"200": {"description": title, "content": _json([answer])}}
    if path == "/ready":
        responses |= {str(code): {"description": ERRORS[code], "content": _json([ErrorAnswer])} for code in (429, 503)}
    return {"operationId": path[1:], "summary": title, "security": [], "responses": responses}


def _metrics() -> dict[str, object]:
    errors = {str(code): {"description": ERRORS[code], "content": _json([ErrorAnswer])}
              for code in (401, 403, 429, 500, 503)}  # fmt: skip
    text = {"description": "Metrics, as Prometheus reads them.", "content": {"text/plain": {}}}
    return {"operationId": "metrics", "summary": "Metrics for Prometheus", "description": "Role: reader.",
            "responses": {"200": text, **errors}}  # fmt: skip


def _itself() -> dict[str, object]:
    return {
        "operationId": "openapi",
        "summary": "This document",
        "security": [],
        "responses": {
            "200": {"description": "OpenAPI 3.1.", "content": {"application/json": {"schema": {"type": "object"}}}}
        },
    }


def _schemas() -> dict[str, object]:
    kinds = {kind for one in ENDPOINTS for kind in (one.body, *(a for found in one.answers.values() for a in found))}
    kinds |= {ErrorAnswer, Extras, PushBody, *(answer for *_, answer in PLAIN)}
    _, parts = msgspec.json.schema_components(sorted(kinds, key=lambda one: one.__name__), ref_template=REF)
    for part in parts.values():
        if "description" in part:
            part["description"] = cleandoc(part["description"]).replace("``", "`")
    _let_out_kind(parts)
    return dict(sorted(parts.items()))


def _let_out_kind(parts: dict[str, dict[str, object]]) -> None:
    """Describe a completion as ``/complete`` takes it.

    With a lease; and its kind may be left out.
    """
    extras, message = parts.pop("Extras"), parts[CompletionMessage.__name__]
    properties, more = message["properties"], extras["properties"]
    assert isinstance(properties, dict)
    assert isinstance(more, dict)
    message["properties"] = {**properties, **more}
    message.pop("required", None)
