"""Judges one run from the files it left; imports nothing of outdial's. `python -m tests.integration.storm.judge DIR`

DIR holds carrier.jsonl, agents.jsonl, events.jsonl, dead.jsonl, faults.jsonl, opt_outs.jsonl, leads.csv, run.json and
logs/.
"""

from __future__ import annotations

import csv
import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.integration.stranger import broken, calls, count, lines

SHUT_AFTER_SECONDS = 1.5
"""A grant lives 0.3 s, and the carrier of a busy machine may note an INVITE late."""
DNC = "DNC_REQUESTED"


def judge(folder: Path) -> dict[str, Any]:
    """Numbers, and one list per invariant: what is in a list broke it."""
    run = json.loads((folder / "run.json").read_text())
    carrier = lines(str(folder / "carrier.jsonl"))
    # A record without a value is no event: somebody else on the same stack tried what bad input does.
    whole = [event for event in lines(str(folder / "events.jsonl")) if event["value"] is not None]
    events = [event for event in whole if event["value"].get("campaign_id") == run["campaign_id"]]
    faults, opt_outs = _lines(folder / "faults.jsonl"), _lines(folder / "opt_outs.jsonl")
    opt_outs += _agents_opt_outs(_lines(folder / "agents.jsonl"), carrier)
    return {
        **count(carrier, events),
        "opt_outs": len(opt_outs),
        "faults": len(faults),
        "live_calls_at_least": min((f["live_calls"] for f in faults), default=0),
        "dialled_after_opt_out": _after_opt_out(carrier, opt_outs),
        "dialled_while_shut": _while_shut(carrier, faults),
        "dispositions_that_disagree": _that_disagree(events),
        "disposition_records_repeated": _repeats(events),
        "dead_letters": [f"{line['topic']}: {line['reason']}" for line in _lines(folder / "dead.jsonl")],
        "numbers_in_logs": _numbers_in_logs(folder),
        "too_few_live_calls": [f["kind"] for f in faults if f["live_calls"] < run["live_calls_at_least"]],
        "never_recovered": [f["kind"] for f in faults if f["invite_seconds"] is None or f["ready_seconds"] is None],
        "never_drained": [] if run["drained"] else [run["open"]],
    }


def _lines(path: Path) -> list[dict[str, Any]]:
    return lines(str(path)) if path.exists() else []


def _invites(carrier: Iterable[dict[str, Any]]) -> list[tuple[float, str, str]]:
    """(time, number, Call-ID) of every initial INVITE."""
    return [(line["t"], line["to"], line["call_id"]) for line in carrier if line.get("event") == "initial_invite"]


def _after_opt_out(carrier: list[dict[str, Any]], opt_outs: list[dict[str, Any]]) -> list[str]:
    latest_first = sorted(opt_outs, key=lambda line: -float(line["acknowledged_at"]))
    since = {line["phone"]: line["acknowledged_at"] for line in latest_first}
    return [call_id for t, number, call_id in _invites(carrier) if t > since.get(number, t)]


def _agents_opt_outs(agents: list[dict[str, Any]], carrier: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Wrap-ups with DNC that the console acknowledged."""
    refused = {line.get("attempt_id") for line in agents if line["event"] == "wrap_up_refused"}
    numbers = {call_id.split("@")[0].rsplit(".", 1)[0]: number for _, number, call_id in _invites(carrier)}
    return [
        {"phone": numbers[line["attempt_id"]], "acknowledged_at": line["t"]}
        for line in agents
        if line["event"] == "wrapped_up"
        and line.get("code") == DNC
        and line["attempt_id"] in numbers
        and line["attempt_id"] not in refused
    ]


def _while_shut(carrier: list[dict[str, Any]], faults: list[dict[str, Any]]) -> list[str]:
    windows = [(f["injected_at"] + SHUT_AFTER_SECONDS, f["healing_at"], f["kind"]) for f in faults if f["shuts"]]
    return [
        f"{call_id} during {kind}"
        for t, _, call_id in _invites(carrier)
        for start, end, kind in windows
        if start < t < end
    ]


def _that_disagree(events: list[dict[str, Any]]) -> list[str]:
    """Revisions with two contents: a repeat must say the same under the same ce_id."""
    said: dict[tuple[str, int], set[str]] = defaultdict(set)
    for value in _dispositions(events):
        said[value["attempt_id"], value["revision"]].add(json.dumps(value, sort_keys=True))
    return [f"{attempt} revision {revision}" for (attempt, revision), texts in said.items() if len(texts) > 1]


def _repeats(events: list[dict[str, Any]]) -> int:
    """Records that say again what was said. Allowed (a cause that is delivered again says it again), and counted."""
    said = Counter(json.dumps(value, sort_keys=True) for value in _dispositions(events))
    return said.total() - len(said)


def _dispositions(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [event["value"] for event in events if event["topic"] == "call.disposition"]


def _numbers_in_logs(folder: Path) -> list[str]:
    """Log files with a callee's number in E.164, national or dashed form."""
    with (folder / "leads.csv").open(encoding="utf-8", newline="") as file:
        nationals = {re.sub(r"\D", "", row["phone"])[-10:] for row in csv.DictReader(file)}
    found = []
    for path in sorted((folder / "logs").glob("*.log")):
        text = path.read_text(errors="replace")
        digits = set(re.findall(r"(?<!\d)(?:\+?1)?(\d{10})(?!\d)", re.sub(r"(?<=\d)-(?=\d)", "", text)))
        if digits & nationals:
            found.append(path.name)
    return found


def main() -> int:
    """Exit code 1 when an invariant is broken."""
    counts = judge(Path(sys.argv[1]))
    print(json.dumps(counts, indent=2))
    # `calls` is the stranger's too: how many INVITEs there were at all.
    placed = calls(lines(str(Path(sys.argv[1]) / "carrier.jsonl")))
    print(f"{len(placed)} calls at the carrier; broken: {broken(counts) or 'nothing'}")
    return 1 if broken(counts) else 0


if __name__ == "__main__":
    sys.exit(main())
