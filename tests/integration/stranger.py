"""Counts a run from what it left outside: carrier.jsonl and dumps of topics. Imports nothing of outdial's.

Run it by hand: python stranger.py carrier.jsonl events.jsonl
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable
from typing import Any


def lines(path: str) -> list[dict[str, Any]]:
    """Whole lines of a JSON-lines file."""
    with open(path, encoding="utf-8") as file:  # noqa: PTH123 (a stranger needs nothing but open)
        return [json.loads(line) for line in file if line.endswith("\n")]


def calls(carrier: Iterable[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Call-ID -> {attempt, invited_at, rang, answered, kind}: an initial INVITE is one whose Call-ID is new."""
    found: dict[str, dict[str, Any]] = {}
    for line in carrier:
        call_id = line.get("call_id")
        if call_id is None or (call_id not in found and line.get("method") != "INVITE"):
            continue
        attempt = call_id.split("@")[0].rsplit(".", 1)[0]
        new = {"attempt": attempt, "invited_at": line["t"], "rang": False, "answered": False, "kind": None}
        call = found.setdefault(call_id, new)
        call["kind"] = line.get("callee_kind") or call["kind"]
        if line.get("dir") == "out" and line.get("cseq_method") == "INVITE":
            call["rang"] |= line.get("status") in (180, 183)
            call["answered"] |= line.get("status") == 200
    return found


def count(carrier: Iterable[dict[str, Any]], events: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """The invariants of architecture.md as numbers; `events` are {topic, ce_id, value} with the value as JSON."""
    seen: dict[str, dict[str, Any]] = {}
    for event in events:
        seen.setdefault(event["ce_id"], event)
    by_topic: dict[str, list[dict[str, Any]]] = {}
    for event in seen.values():
        by_topic.setdefault(event["topic"], []).append(event["value"])
    closed = Counter(v["attempt_id"] for v in by_topic.get("clearance.closed", []))
    redeemed = {v["attempt_id"] for v in by_topic.get("clearance.closed", []) if v["outcome"] == "REDEEMED"}
    cleared = {v["attempt_id"] for v in by_topic.get("compliance.cleared", [])}
    disposed = Counter((v["attempt_id"], v["revision"]) for v in by_topic.get("call.disposition", []))
    first_revisions = {attempt for attempt, _ in disposed}
    placed = calls(carrier)
    invited = {call["attempt"] for call in placed.values()}
    return {
        "cleared": len(cleared),
        "redeemed": len(redeemed),
        "invited": len(invited),
        "invited_without_redemption": sorted(invited - redeemed),
        "redeemed_without_invite": len(redeemed - invited),
        "duplicate_invites": sorted(_rung_again(placed)),
        "cleared_without_closed": sorted(cleared - set(closed)),
        "closed_twice": sorted(a for a, n in closed.items() if n > 1),
        "redeemed_without_disposition": sorted(redeemed - first_revisions),
        "disposed_twice": sorted(a for (a, _), n in disposed.items() if n > 1),
        "disposed_but_not_redeemed": sorted(first_revisions - redeemed),
    }


def broken(counts: dict[str, Any]) -> list[str]:
    """Names of the invariants that do not hold."""
    return [name for name, value in counts.items() if isinstance(value, list) and value]


def _rung_again(placed: dict[str, dict[str, Any]]) -> set[str]:
    """Attempts with a second Call-ID after an earlier one rang or was answered."""
    again, heard = set(), set()
    for call in sorted(placed.values(), key=lambda c: c["invited_at"]):
        if call["attempt"] in heard:
            again.add(call["attempt"])
        if call["rang"] or call["answered"]:
            heard.add(call["attempt"])
    return again


if __name__ == "__main__":
    result = count(lines(sys.argv[1]), lines(sys.argv[2]))
    print(json.dumps(result, indent=2))
    sys.exit(1 if broken(result) else 0)
