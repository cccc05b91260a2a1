"""Errors over HTTP as problem+json (RFC 9457), and JSON bodies."""

from __future__ import annotations

import json
from typing import Any

from outdial_runtime.service import Answer, HttpReply


class BadRequest(Exception):
    """The request breaks a rule; the text names field, shape and rule."""


def problem(status: int, title: str, detail: str) -> Answer:
    """A reply that says what is wrong."""
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    return Answer(reply=HttpReply(status=status, body=body, content_type="application/problem+json"))


def json_body(raw: bytes) -> dict[str, Any]:
    """A JSON object; an empty body is an empty object. Raises BadRequest."""
    try:
        body = json.loads(raw or b"{}")
    except ValueError:
        raise BadRequest("the body is not JSON") from None
    if not isinstance(body, dict):
        raise BadRequest(f"the body must be a JSON object, is a {type(body).__name__}")
    return body


def text_of(body: dict[str, Any], name: str) -> str:
    """A text field. Raises BadRequest."""
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise BadRequest(f"{name}: must be text that is not empty")
    return value
