"""The other services' HTTP: one client, short time-outs, the first replica that knows answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

from console.domain.sources import Source
from console.ports import SourceAway

SECONDS = 2.0
NOT_FOUND = 404


class HttpSources:
    """Implements ports.Sources."""

    def __init__(self, client: httpx.AsyncClient, urls: Mapping[Source, tuple[str, ...]]) -> None:
        self._client, self._urls = client, urls

    def configured(self, source: Source) -> bool:
        """Whether there is a URL of it."""
        return bool(self._urls.get(source))

    async def get(self, source: Source, path: str, query: Mapping[str, str] | None = None) -> Any:
        """Asks one replica after the other; None when those that answer know nothing of it."""
        if not self.configured(source):
            raise SourceAway(f"Nobody told the console where {source.value} is ({source.variable}).")
        problem, answered = f"{source.value} does not answer.", False
        for url in self._urls[source]:
            try:
                reply = await self._client.get(f"{url}{path}", params=dict(query or {}))
                if reply.status_code == httpx.codes.OK:
                    return reply.json()
            except (httpx.HTTPError, ValueError):
                continue
            answered = answered or reply.status_code == NOT_FOUND
            problem = f"{source.value} answers with status {reply.status_code}."
        if answered:
            return None
        raise SourceAway(problem)


def new_client() -> httpx.AsyncClient:
    """The client; whoever opens it closes it. No proxy of the environment stands between services."""
    return httpx.AsyncClient(timeout=SECONDS, trust_env=False)
