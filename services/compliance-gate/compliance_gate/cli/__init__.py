"""The gate's tools: cases, packs, lists, reassigned numbers, signing keys, the ledger, the word on a restore.

Exit codes: 0 it holds, 1 it does not, 2 bad usage or unreadable input.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from compliance_gate.cli import evaluate, keys, ledger, lists, packs, reassigned, restored
from compliance_gate.cli.terms import Tools, UsageError

EXAMPLES = """examples:
  compliance-gate run
  compliance-gate restored
  compliance-gate evaluate cases.jsonl
  compliance-gate evaluate --explain - < cases.jsonl
  compliance-gate packs check my_pack.yaml
  compliance-gate lists load US-NDNC dnc.txt.gz --dir lists/ --as-of 2026-11-01T00:00:00Z
  compliance-gate reassigned import answers.csv
  compliance-gate keys new --out keys/
  compliance-gate ledger verify export.jsonl --jwks keys/jwks.json
"""


def main(arguments: Sequence[str], tools: Tools) -> int:
    """Runs one command and returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="compliance-gate",
        description="Decides whether a call may be placed. Without a command, or with run: the service.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    areas = parser.add_subparsers(required=True, metavar="evaluate|packs|lists|reassigned|keys|ledger|restored")
    for area in (evaluate, packs, lists, reassigned, keys, ledger, restored):
        area.add_to(areas)
    options = parser.parse_args(arguments, argparse.Namespace(tools=tools))
    try:
        code: int = options.run(options)
    except UsageError as error:
        print(f"compliance-gate: {error}", file=sys.stderr)
        return 2
    return code
