"""`compliance-gate restored`: the operator's word that the database went back in time."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from compliance_gate.cli.terms import RAW, Tools, UsageError, say

if TYPE_CHECKING:
    from compliance_gate.cli.terms import Areas


def add_to(areas: Areas) -> None:
    """Adds the word to the command line."""
    restored = areas.add_parser(
        "restored",
        help="the database was restored",
        description="Locks Redeem at once, and has the topics read again from their beginnings. Reads the service's "
        "environment. The gate opens by itself, after one clearance lifetime, when it has read everything.",
        epilog="examples:\n  compliance-gate restored\n  compliance-gate restored --accept-loss",
        formatter_class=RAW,
    )
    restored.add_argument(
        "--accept-loss", action="store_true", help="answer for redemptions that no topic holds any more"
    )
    restored.add_argument("--json", action="store_true", help="print a JSON object")
    restored.set_defaults(run=_restored)


def _restored(options: argparse.Namespace) -> int:
    tools: Tools = options.tools
    try:
        lock = tools.say_restored(options.accept_loss)
    except ValueError as error:
        raise UsageError(str(error)) from None
    facts = {"reason": lock.reason, "restored": lock.restored, "unrestorable": lock.unrestorable}
    say(options, {**facts, "accepted": lock.accepted}, lock.sentence(0))
    return 0
