"""Between Starlette's requests and replies and ours."""

from __future__ import annotations

from collections.abc import AsyncIterator

from starlette.requests import HTTPConnection
from starlette.responses import Response, StreamingResponse

from outdial_runtime.requests import HttpCall, body_of
from outdial_runtime.service import HttpReply


def call_of(connection: HTTPConnection, body: bytes = b"") -> HttpCall:
    """A request, or the handshake of a socket."""
    return HttpCall(
        body=body,
        path={name: str(value) for name, value in connection.path_params.items()},
        query=dict(connection.query_params),
        headers=dict(connection.headers),
    )


def response_of(reply: HttpReply) -> Response:
    """The reply as Starlette sends it; it also refuses a handshake."""
    if isinstance(reply.body, AsyncIterator):
        return StreamingResponse(
            reply.body, status_code=reply.status, media_type=reply.content_type, headers=dict(reply.headers)
        )
    media_type = reply.content_type if reply.body else None
    return Response(body_of(reply), status_code=reply.status, media_type=media_type, headers=dict(reply.headers))
