"""The live page: its HTML with the state of this moment in it, the state as JSON, and the socket that keeps it true."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

from console.handlers.deps import Deps
from console.handlers.html import Markup, page
from outdial_runtime.service import Answer, HttpReply, Request

HEAD = Markup('<script type="module" src="/pages/board.js"></script>')


async def on_board(request: Request, deps: Deps) -> Answer:
    """GET /: drawn by board.js from the state within, so that nothing is waited for before the first paint."""
    body = deps.assets["board.html"].content.decode().replace("$state", _in_script(json.dumps(deps.hub.state())))
    return page("Live", Markup(body), deps, here="/", head=HEAD)


async def on_board_json(request: Request, deps: Deps) -> Answer:
    """GET /v1/board."""
    return Answer(reply=HttpReply(body=deps.hub.state(), headers={"cache-control": "no-store"}))


async def on_board_live(request: Request, deps: Deps) -> AsyncIterator[str]:
    """WebSocket /v1/board/live: the whole state, whenever it changed and every two seconds."""
    async for state in deps.hub.states():
        yield state


def _in_script(text: str) -> str:
    """JSON that can't end the script element that it stands in."""
    return text.replace("<", "\\u003c")
