"""People who opt out while the storm blows: asked until the gate says that it holds; judged at the carrier later."""

from __future__ import annotations

import json
import random
import threading
import time
import uuid
from collections.abc import Mapping
from pathlib import Path

import httpx

from outdial_cli.demo.watch import Watch

EVERY_SECONDS = 8.0
AGAIN_SECONDS = 0.3
ASK_SECONDS = 10.0


class OptOuts:
    """A thread; each acknowledged opt-out is a line of `path`: {phone, person_id, acknowledged_at}."""

    def __init__(
        self, path: Path, gate_url: str, watch: Watch, people: Mapping[str, tuple[str, str]], chance: random.Random
    ) -> None:
        """`people`: lead_id -> (person_id, E.164)."""
        self._path, self._url, self._watch, self._people, self._chance = path, gate_url, watch, people, chance
        self._stop = threading.Event()
        self._asked: set[str] = set()
        self._thread = threading.Thread(target=self._run, name="storm-opt-outs", daemon=True)
        self.unanswered = 0

    def __enter__(self) -> OptOuts:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(timeout=2 * ASK_SECONDS)

    def _run(self) -> None:
        while not self._stop.wait(EVERY_SECONDS):
            lead = self._next()
            if lead is not None:
                self._asked.add(lead)
                self._opt_out(*self._people[lead])

    def _next(self) -> str | None:
        """A lead whose cleared offer waits to be dialled, for these are the dangerous ones; else any."""
        waiting = [cleared.context.lead_id for cleared in self._watch.picture.queued()]
        known = [lead for lead in waiting if lead in self._people and lead not in self._asked]
        rest = [lead for lead in self._people if lead not in self._asked]
        return known[-1] if known else self._chance.choice(rest) if rest else None

    def _opt_out(self, person_id: str, phone: str) -> None:
        """The same request, under one id, until it is answered."""
        body = {"person_id": person_id, "seller_id": "*", "source": "WEB_FORM", "suppression_id": str(uuid.uuid4())}
        while not self._stop.is_set():
            if self._acknowledged(body):
                line = {"phone": phone, "person_id": person_id, "acknowledged_at": time.time()}
                with self._path.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(line) + "\n")
                return
            time.sleep(AGAIN_SECONDS)
        self.unanswered += 1

    def _acknowledged(self, body: Mapping[str, str]) -> bool:
        try:
            reply = httpx.post(f"{self._url}/v1/opt-outs", json=dict(body), timeout=ASK_SECONDS)
        except httpx.HTTPError:
            return False
        if 400 <= reply.status_code < 500:
            raise ValueError(f"an opt-out was refused for good: {reply.status_code} {reply.text}")
        return reply.status_code == 200
