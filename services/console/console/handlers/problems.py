"""Errors over HTTP as problem+json (RFC 9457), and the bodies of requests."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Coroutine
from functools import wraps
from typing import Any, Concatenate, ParamSpec

import yaml

from console.domain.shapes import ShapeError
from outdial_runtime.service import Answer, HttpReply, Request

P = ParamSpec("P")


def problem(status: int, title: str, detail: str) -> Answer:
    """A reply that says what is wrong."""
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    return Answer(reply=HttpReply(status=status, body=body, content_type="application/problem+json"))


def unprocessable(
    handler: Callable[Concatenate[Request, P], Awaitable[Answer]],
) -> Callable[Concatenate[Request, P], Coroutine[Any, Any, Answer]]:
    """A ShapeError of the handler is answered with 422."""

    @wraps(handler)
    async def checked(request: Request, /, *args: P.args, **kwargs: P.kwargs) -> Answer:
        try:
            return await handler(request, *args, **kwargs)
        except ShapeError as error:
            return problem(422, "Unprocessable", str(error))

    return checked


def json_body(raw: bytes) -> dict[str, Any]:
    """A JSON object; an empty body is an empty object. Raises ShapeError."""
    try:
        body = json.loads(raw or b"{}")
    except (ValueError, RecursionError):
        raise ShapeError("the body is not JSON") from None
    if not isinstance(body, dict):
        raise ShapeError(f"the body must be a JSON object, is a {type(body).__name__}")
    return body


def yaml_body(raw: bytes) -> Any:
    """A YAML document, JSON being one. Raises ShapeError."""
    try:
        return yaml.safe_load(raw)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ShapeError(f"the body is not YAML: {type(error).__name__}") from None
