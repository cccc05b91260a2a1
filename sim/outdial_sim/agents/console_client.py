"""The console's agent API over HTTP: calls are retried while the console is away."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx

from outdial_sim.agents.phone import SipAccount
from outdial_sim.wire.digest import Account

RETRY_FIRST_SECONDS = 0.2
RETRY_MOST_SECONDS = 2.0
POLL_WAIT_SECONDS = 5
TIMEOUT = httpx.Timeout(5.0, read=POLL_WAIT_SECONDS + 5.0)
AWAY = frozenset({408, 425, 429, 500, 502, 503, 504})


class SessionLost(Exception):
    """The console no longer knows this agent's session (401): sign in again."""


class ConsoleRefused(Exception):
    """The console refused a request for good; holds the HTTP status."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the console answered {status}")
        self.status = status


@dataclass(frozen=True, kw_only=True)
class Session:
    """A signed-in agent."""

    token: str
    sip: SipAccount


@dataclass(frozen=True, kw_only=True)
class AgentEvent:
    """One event of an agent's stream: leg_up, leg_down, assigned, bridged, call_ended."""

    seq: int
    type: str
    attempt_id: str


class ConsoleClient:
    """The calls of one agent; `http` has the console's base URL."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        agent_id: str,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._http = http
        self._path = f"/v1/agents/{agent_id}"
        self._sleep = sleep
        self._token = ""

    async def sign_in(self, team_id: str, campaign_ids: list[str]) -> Session:
        """Sign in, however long it takes. Raises ConsoleRefused."""
        self._token = ""
        document = await self._call("POST", "sign-in", {"team_id": team_id, "campaign_ids": campaign_ids})
        self._token = document["session_token"]
        phone = document["sip"]
        account = Account(user=phone["username"], password=phone["password"])
        return Session(token=self._token, sip=SipAccount(uri=phone["uri"], account=account))

    async def set_state(self, state: str, reason: str | None) -> None:
        """Say or repeat the state. Raises SessionLost, ConsoleRefused."""
        await self._call("POST", "state", {"state": state, "reason": reason})

    async def events(self, after: int) -> list[AgentEvent]:
        """Wait a few seconds for events after a sequence number. Raises SessionLost, ConsoleRefused."""
        document = await self._call("GET", f"events?after={after}&wait_seconds={POLL_WAIT_SECONDS}", None)
        return [
            AgentEvent(seq=event["seq"], type=event["type"], attempt_id=event.get("attempt_id") or "")
            for event in document["events"]
        ]

    async def hang_up(self, attempt_id: str) -> None:
        """End a call. Raises SessionLost, ConsoleRefused."""
        await self._call("POST", "hang-up", {"attempt_id": attempt_id})

    async def wrap_up(self, attempt_id: str, code: str, callback_at: str | None) -> None:
        """Code a call. Raises SessionLost, ConsoleRefused."""
        await self._call("POST", "wrap-up", {"attempt_id": attempt_id, "code": code, "callback_at": callback_at})

    async def sign_out(self) -> None:
        """End the shift. Raises SessionLost, ConsoleRefused."""
        await self._call("POST", "sign-out", {})

    async def _call(self, method: str, action: str, body: dict[str, Any] | None) -> dict[str, Any]:
        """One request, repeated while the console is away."""
        delay = RETRY_FIRST_SECONDS
        while True:
            reply = await self._try(method, action, body)
            if reply is not None and reply.status_code not in AWAY:
                return _document(reply)
            await self._sleep(delay)
            delay = min(2 * delay, RETRY_MOST_SECONDS)

    async def _try(self, method: str, action: str, body: dict[str, Any] | None) -> httpx.Response | None:
        """The response, or None when the console could not be reached."""
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        try:
            return await self._http.request(method, f"{self._path}/{action}", json=body, headers=headers)
        except httpx.TransportError:
            return None


def _document(reply: httpx.Response) -> dict[str, Any]:
    if reply.status_code == 401:
        raise SessionLost
    if reply.status_code >= 400:
        raise ConsoleRefused(reply.status_code)
    return dict(reply.json()) if reply.content else {}
