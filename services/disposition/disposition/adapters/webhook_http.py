"""The POST itself: to the address that was checked, over verified TLS, without redirects, within a time-out."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from types import TracebackType

import httpx

from disposition.domain.addresses import Address, Policy, host_and_port, refusal
from disposition.domain.delivery import Answer, Trouble

Resolve = Callable[[str, int], Awaitable[list[Address]]]
MOST_READ_BYTES = 65536
"""Of the response, so that the connection can be used again; a longer one is left unread and the connection closed."""


async def resolve(host: str, port: int) -> list[Address]:
    """Addresses of a host, or of an address literal. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]


class HttpPoster:
    """Implements ports.Poster. Use as an asynchronous context manager."""

    def __init__(
        self,
        *,
        policy: Policy,
        timeout_seconds: float,
        ca_file: str | None = None,
        resolve: Resolve = resolve,
    ) -> None:
        self._policy, self._timeout_seconds, self._resolve = policy, timeout_seconds, resolve
        self._tls = ssl.create_default_context(cafile=ca_file)
        self._clients: dict[str, httpx.AsyncClient] = {}
        self._closing = AsyncExitStack()
        logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs URLs, and a URL may hold a token

    async def __aenter__(self) -> HttpPoster:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._closing.aclose()

    async def post(self, url: str, headers: Mapping[str, str], body: str) -> Answer:
        """What came back, or why nothing did."""
        try:
            async with asyncio.timeout(self._timeout_seconds):
                return await self._post(url, headers, body)
        except (TimeoutError, httpx.TimeoutException):
            return Answer(trouble=Trouble.TIMED_OUT)
        except (OSError, httpx.HTTPError):
            return Answer(trouble=Trouble.NOT_REACHED)
        except (httpx.InvalidURL, UnicodeError):
            return Answer(trouble=Trouble.URL_REFUSED)

    async def _post(self, url: str, headers: Mapping[str, str], body: str) -> Answer:
        target = host_and_port(url)
        if target is None:
            return Answer(trouble=Trouble.URL_REFUSED)
        addresses = await self._resolve(*target)
        if not addresses:
            return Answer(trouble=Trouble.NOT_REACHED)
        refused = refusal(url, addresses, self._policy)
        if refused is not None:
            return Answer(trouble=refused)
        for address in addresses[:-1]:
            try:
                return await self._post_to(url, address, headers, body)
            except httpx.ConnectError:
                continue  # nothing was sent; the host has another address
        return await self._post_to(url, addresses[-1], headers, body)

    async def _post_to(self, url: str, address: Address, headers: Mapping[str, str], body: str) -> Answer:
        """To this address and no other, whatever the name resolves to a moment later."""
        named = httpx.URL(url)
        sent = {**headers, "content-type": "application/json", "user-agent": "outdial", "host": named.netloc.decode()}
        request = self._client(named.host).stream(
            "POST",
            named.copy_with(host=str(address)),
            headers=sent,
            content=body.encode(),
            extensions={"sni_hostname": named.host},
        )
        async with request as response:
            length = response.headers.get("content-length", "")
            if length.isascii() and length.isdigit() and int(length) <= MOST_READ_BYTES:
                await response.aread()
            return Answer.of_status(response.status_code, _retry_after(response.headers.get("retry-after")))

    def _client(self, host: str) -> httpx.AsyncClient:
        """One per name: a connection whose certificate was checked for one name never serves another."""
        if host not in self._clients:
            client = httpx.AsyncClient(
                verify=self._tls, trust_env=False, follow_redirects=False, timeout=self._timeout_seconds
            )
            self._closing.push_async_callback(client.aclose)
            self._clients[host] = client
        return self._clients[host]


def _retry_after(value: str | None) -> float | None:
    """Seconds of a Retry-After (RFC 9110 section 10.2.3): a number, or a date in real time."""
    if value is None:
        return None
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        at = parsedate_to_datetime(value)
    except ValueError:
        return None
    at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    return max(0.0, (at - datetime.now(UTC)).total_seconds())
