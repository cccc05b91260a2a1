"""Thousands of fictional leads that may all be called at 15:00Z on a Tuesday."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from examples.make_leads import COLUMNS, OPEN_AREAS, OURS, TEXT_SHA256

AREAS = Path(__file__).resolve().parents[1] / "services" / "compliance-gate" / "compliance_gate" / "data"
PER_AREA = 100
"""555-0100 to 555-0199 of every area code are kept free for fiction."""
GRANTED = "2026-08-12T15:30:00Z"


def numbers() -> Iterator[tuple[str, str]]:
    """(E.164, state), area codes in turn; area codes of one zone in states whose window is open then."""
    with (AREAS / "nanp_npa.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    areas = [
        (row["npa"], row["region"].removeprefix("US-"))
        for row in rows
        if row["country"] == "US" and row["region"].removeprefix("US-") in OPEN_AREAS and "|" not in row["zones"]
    ]
    for line in range(PER_AREA):
        for area, state in areas:
            number = f"+1{area}55501{line:02d}"
            if number not in OURS:
                yield number, state


def write(path: Path, source: Iterator[tuple[str, str]], count: int, prefix: str) -> int:
    """Takes up to `count` numbers from `source` and writes a leads.csv; ids start with `prefix`. Returns how many."""
    written = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        for number, state in source:
            written += 1
            writer.writerow(_row(f"{prefix}-{written:05d}", number, state))
            if written == count:
                break
    return written


def _row(name: str, number: str, state: str) -> dict[str, str]:
    return {
        "lead_id": name,
        "person_id": f"person-{name}",
        "phone": number,
        "default_region": "US",
        "line_type": "mobile",
        "consumer": "true",
        "country": "US",
        "region": state,
        "segment": "warm",
        "score": "0.500",
        "expires_at": "",
        "first_name": "Alex",
        "source_list": "bench",
        "consent_level": "pewc",
        "consent_purpose": "any",
        "consent_granted_at": GRANTED,
        "consent_source": "web-form",
        "consent_captured_at": GRANTED,
        "consent_ip": "192.0.2.7",
        "consent_text_sha256": TEXT_SHA256,
        "plan": "basic",
    }
