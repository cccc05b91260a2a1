"""Bad requests, as RFC 9457 problems."""

from __future__ import annotations

from outdial_runtime.service import Answer, HttpReply


def missing(name: str) -> Answer:
    """A query parameter is absent."""
    return bad(f"query parameter {name} is absent")


def bad(detail: str) -> Answer:
    """400; the text names field, shape and rule."""
    problem = {"type": "about:blank", "title": "Bad request", "status": 400, "detail": detail}
    return Answer(reply=HttpReply(status=400, body=problem, content_type="application/problem+json"))
