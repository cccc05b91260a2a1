"""What the demo asks of the services over HTTP, as a CRM or a supervisor would."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx

from outdial_cli.preflight import batches, merged
from outdial_cli.stack.layout import Addresses

SECONDS = 30.0
IMPORT_SECONDS = 900.0
"""A whole file in one transaction."""
DEMO_SOURCE = "demo-crm"
NO_LEADS = b"lead_id,person_id,phone\n"
KNOWN_SECONDS = 30.0


class Refused(Exception):
    """A service refused a request; the text is its problem's detail."""


class Services:
    """One HTTP client for all of them."""

    def __init__(self, addresses: Addresses) -> None:
        self._addresses = addresses
        self._client = httpx.Client(timeout=SECONDS)

    def close(self) -> None:
        """Closes connections."""
        self._client.close()

    def publish_route(self, route: Mapping[str, Any]) -> None:
        """The route document."""
        self._post("console", "/v1/documents", json=dict(route))

    def publish_campaign(self, campaign: Mapping[str, Any]) -> int:
        """The campaign; returns its version, once lead-router knows it too and takes leads for it."""
        version = int(self._post("console", "/v1/campaigns", json=dict(campaign))["version"])
        self._until_known(str(campaign["id"]))
        return version

    def _until_known(self, campaign_id: str) -> None:
        """campaign.published takes a moment from the console to lead-router, which answers 404 until then."""
        params = {"campaign_id": campaign_id, "source": DEMO_SOURCE, "dry_run": "true"}
        url, headers = f"{self._addresses.url('lead-router')}/v1/imports", {"content-type": "text/csv"}
        deadline = time.monotonic() + KNOWN_SECONDS
        while (reply := self._client.post(url, content=NO_LEADS, headers=headers, params=params)).status_code == 404:
            if time.monotonic() > deadline:
                self._checked(reply)
            time.sleep(0.1)

    def set_state(self, campaign_id: str, state: str) -> None:
        """RUNNING, PAUSED or STOPPED."""
        self._post("console", f"/v1/campaigns/{campaign_id}/state", json={"state": state})

    def suppress(self, csv: Path) -> dict[str, Any]:
        """A suppression.csv; in force when this returns."""
        headers = {"content-type": "text/csv"}
        return self._post("compliance-gate", "/v1/suppressions", content=csv.read_bytes(), headers=headers)

    def import_leads(self, csv: Path, campaign_id: str, *, dry_run: bool, source: str = DEMO_SOURCE) -> dict[str, Any]:
        """A leads.csv; {rows, leads, rejected, errors} and, dry, the valid leads."""
        params = {"campaign_id": campaign_id, "source": source, "dry_run": str(dry_run).lower()}
        whole = {"content": csv.read_bytes(), "headers": {"content-type": "text/csv"}, "params": params}
        return self._post("lead-router", "/v1/imports", timeout=IMPORT_SECONDS, **whole)

    def preflight(
        self,
        campaign: Mapping[str, Any],
        leads: list[dict[str, Any]],
        *,
        until: str | None = None,
        told: Callable[[int], object] = lambda leads: None,
    ) -> dict[str, Any]:
        """What the gate would say now and by hour; `told` hears how many leads each batch had.

        Args:
            until: the last hour, ISO 8601; the gate's default is a day.
        """
        answers: list[dict[str, Any]] = []
        when = {"until": until} if until is not None else {}
        for batch in batches(leads):
            body = {"campaign": dict(campaign), "leads": batch, **when}
            answers.append(self._post("compliance-gate", "/v1/preflight", json=body))
            when["at"] = answers[0]["at"]
            told(len(batch))
        return merged(answers)

    def team(self, team_id: str) -> dict[str, Any]:
        """The pacer's live figures; empty while it does not answer."""
        try:
            reply = self._client.get(f"{self._addresses.url('pacer')}/v1/teams/{team_id}", timeout=2.0)
        except httpx.HTTPError:
            return {}
        return dict(reply.json()) if reply.status_code == 200 else {}

    def get(self, service: str, path: str) -> Any:
        """A JSON document. Raises Refused."""
        return self._checked(self._client.get(f"{self._addresses.url(service)}{path}")).json()

    def ledger_export(self) -> bytes:
        """The whole ledger with its checkpoints, JSON lines."""
        reply = self._client.get(f"{self._addresses.url('compliance-gate')}/v1/ledger/export", timeout=120.0)
        return self._checked(reply).content

    def _post(self, service: str, path: str, **request: Any) -> dict[str, Any]:
        reply = self._checked(self._client.post(f"{self._addresses.url(service)}{path}", **request))
        return dict(reply.json())

    @staticmethod
    def _checked(reply: httpx.Response) -> httpx.Response:
        if reply.status_code >= 400:
            detail = reply.json().get("detail") if "json" in reply.headers.get("content-type", "") else reply.text
            raise Refused(f"{reply.request.method} {reply.request.url.path}: {reply.status_code}: {detail}")
        return reply
