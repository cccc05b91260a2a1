"""A CRM seen from outside: posts leads to lead-router one by one, and opt-outs. crm_webhooks.py receives."""

import csv
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx

NAMESPACE = uuid.UUID("6f1d7c0e-2a53-5f0b-9a56-0d6f0c1b7e11")
RETRY_FIRST_SECONDS = 0.2
RETRY_MOST_SECONDS = 5.0
AWAY = frozenset({408, 425, 429, 500, 502, 503, 504})


class Published(Counter[str]):
    """Answers by HTTP status, as text."""


def lead_documents(path: Path, campaign_id: str) -> Iterator[tuple[str, dict[str, str]]]:
    """(Idempotency-Key, document) of each row of a leads.csv: its columns that are not empty, and campaign_id.

    The key is UUIDv5 of file name and lead_id, so that publishing a file again repeats nothing.
    """
    with path.open(encoding="utf-8", newline="") as file:
        for place, row in enumerate(csv.DictReader(file), start=1):
            document = {name: value for name, value in row.items() if isinstance(name, str) and value}
            name = f"{path.name}:{campaign_id}:{row.get('lead_id') or place}"
            yield str(uuid.uuid5(NAMESPACE, name)), {**document, "campaign_id": campaign_id}


class CrmClient:
    """Posts with an Idempotency-Key and repeats with the same key while the service is away."""

    def __init__(self, http: httpx.Client, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._http = http
        self._sleep = sleep

    def post(self, path: str, key: str, document: dict[str, Any]) -> int:
        """The final HTTP status."""
        delay = RETRY_FIRST_SECONDS
        while True:
            status = self._try(path, key, document)
            if status is not None and status not in AWAY:
                return status
            self._sleep(delay)
            delay = min(2 * delay, RETRY_MOST_SECONDS)

    def publish(self, path: Path, campaign_id: str, *, per_second: float | None = None) -> Published:
        """Post every row of a leads.csv to /v1/leads, at most `per_second` of them."""
        answers = Published()
        for key, document in lead_documents(path, campaign_id):
            answers[str(self.post("/v1/leads", key, document))] += 1
            if per_second:
                self._sleep(1.0 / per_second)
        return answers

    def suppress(self, *, phone: str | None, person_id: str | None, seller_id: str) -> int:
        """Post one opt-out to /v1/opt-outs; the final HTTP status."""
        who = {name: value for name, value in (("phone", phone), ("person_id", person_id)) if value}
        return self.post("/v1/opt-outs", str(uuid.uuid4()), {**who, "seller_id": seller_id, "source": "CRM"})

    def _try(self, path: str, key: str, document: dict[str, Any]) -> int | None:
        try:
            return self._http.post(path, json=document, headers={"Idempotency-Key": key}).status_code
        except httpx.TransportError:
            return None
