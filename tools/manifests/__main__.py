"""`python -m tools.manifests generate | check | secrets`; see the package's docstring."""

from __future__ import annotations

import sys

from tools.contracts.sources import ROOT, ContractError, load
from tools.manifests import throwaway
from tools.manifests.check import check, outputs
from tools.manifests.findings import ManifestError

MOST_SHOWN = 40


def main(argv: list[str]) -> int:
    """Exit code 0 when all is well, 1 when a manifest is broken or stale, 2 for a wrong call."""
    if argv == ["secrets"]:
        print(throwaway.documents())
        return 0
    if argv not in (["generate"], ["check"]):
        print(__doc__, file=sys.stderr)
        return 2
    try:
        contract = load()
        if argv == ["check"]:
            return _report([str(finding) for finding in check(ROOT, contract, outputs(contract))])
        for path, text in outputs(contract).items():
            (ROOT / path).write_text(text)
    except (ContractError, ManifestError) as error:
        return _report([str(error)])
    return 0


def _report(findings: list[str]) -> int:
    for finding in findings[:MOST_SHOWN]:
        print(f"manifests: {finding}", file=sys.stderr)
    if len(findings) > MOST_SHOWN:
        print(f"manifests: and {len(findings) - MOST_SHOWN} more", file=sys.stderr)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
