"""The OpenAPI document, made from the route table and the types of the answers. Pure."""

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import msgspec

from ovsnet import __version__
from ovsnet.api.orders import ORDERS, Order
from ovsnet.api.routes import ROUTES, Route
from ovsnet.api.schema import ErrorBody

PATH = "/v1/openapi.json"
_ALWAYS = (500,)
_REFERENCE = "#/components/schemas/{name}"


def document() -> dict[str, Any]:
    """The whole document, OpenAPI 3.1."""
    answers = [it.answer for it in ROUTES if it.answer is not bytes]
    bodies = [kind for it in ORDERS for kind in (it.body, it.answer)]
    schemas, components = msgspec.json.schema_components([*answers, *bodies, ErrorBody], ref_template=_REFERENCE)
    by_path = dict(zip((it.path for it in ROUTES if it.answer is not bytes), schemas, strict=False))
    of_orders = iter(schemas[len(answers) :])
    paths = {it.path: {"get": _operation(it, by_path.get(it.path))} for it in ROUTES}
    for order in ORDERS:
        paths.setdefault(order.path, {})["post"] = _order(order, next(of_orders), next(of_orders))
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "ovsnet agent",
            "version": __version__,
            "description": "HTTP on a Unix socket (setting `api_socket`). Whoever may use the socket may give orders.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "http://localhost", "description": "the socket; the host name is ignored"}],
        "paths": {**paths, PATH: {"get": _self()}},
        "components": {"schemas": dict(sorted(components.items()))},
    }


def _operation(route: Route, schema: Mapping[str, Any] | None) -> dict[str, Any]:
    content = {route.media: {"schema": schema} if schema else {}}
    refusals = {str(code): _refusal(code) for code in (*route.refusals, *_ALWAYS)}
    return {
        "operationId": _name(route.path),
        "summary": route.summary,
        "parameters": _parameters(route.path),
        "responses": {"200": {"description": route.summary, "content": content}, **refusals},
    }


def _order(order: Order, body: Mapping[str, Any], answer: Mapping[str, Any]) -> dict[str, Any]:
    refusals = {str(code): _refusal(code) for code in (*order.refusals, *_ALWAYS)}
    done = {"description": order.summary, "content": {"application/json": {"schema": answer}}}
    return {
        "operationId": _name(order.path),
        "summary": order.summary,
        "parameters": _parameters(order.path),
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": {"200": done, **refusals},
    }


def _parameters(path: str) -> Sequence[dict[str, Any]]:
    return [
        {"name": it, "in": "path", "required": True, "schema": {"type": "string"}}
        for it in re.findall(r"{(\w+)}", path)
    ]


def _name(path: str) -> str:
    """`/v1/networks/{network}` becomes `networks_network`."""
    return "_".join(re.findall(r"\w+", path)[1:])


def _refusal(code: int) -> dict[str, Any]:
    schema = {"$ref": _REFERENCE.format(name="ErrorBody")}
    return {"description": HTTPStatus(code).phrase, "content": {"application/json": {"schema": schema}}}


def _self() -> dict[str, Any]:
    summary = "This document"
    content = {"application/json": {"schema": {"type": "object"}}}
    return {
        "operationId": "openapi",
        "summary": summary,
        "responses": {"200": {"description": summary, "content": content}},
    }
