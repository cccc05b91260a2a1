"""Errors of the HTTP interface: problem+json (RFC 9457)."""

from __future__ import annotations

from typing import Any

from outdial_runtime.service import Answer, HttpReply

PROBLEM = "application/problem+json"


def problem(status: int, title: str, detail: str, **more: Any) -> Answer:
    """An Answer that carries a problem; `detail` names field, shape and rule, never a value."""
    return Answer(reply=HttpReply(status=status, content_type=PROBLEM, body=document(status, title, detail, **more)))


def document(status: int, title: str, detail: str, **more: Any) -> dict[str, Any]:
    """The problem document itself."""
    return {"type": "about:blank", "title": title, "status": status, "detail": detail, **more}
