"""One number for a whole history: two runs of one seed must have the same."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from outdial_world.history import History


def digest(history: History) -> str:
    """SHA-256 over every line of the history, in hex."""
    found = hashlib.sha256()
    for line in lines(history):
        found.update(line.encode())
        found.update(b"\n")
    return found.hexdigest()


def lines(history: History) -> Iterator[str]:
    """The history as text: records, INVITEs, calls, processes, faults, people."""
    yield f"{history.seed} {history.started_at} {history.ended_at} {history.drained}"
    for record in history.records:
        where = f"{record.topic}[{record.partition}]@{record.offset}"
        yield f"{record.seq} {record.at} {where} {record.ce_id} {record.ce_time} {record.dead} {record.event!r}"
    for invite in history.invites:
        yield f"{invite!r} {invite.number}"
    for rpc in history.rpcs:
        yield (
            f"{rpc.seq} {rpc.method} {rpc.path} {rpc.caller} {rpc.callee} {rpc.asked_at} {rpc.answered_at}"
            f" {rpc.received_at} {rpc.error} {rpc.request!s} {rpc.reply!s}"
        )
    for happening in (*history.processes, *history.faults, *history.people):
        yield repr(happening)
