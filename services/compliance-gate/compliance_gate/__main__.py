"""`compliance-gate` or `compliance-gate run`: the service; other words: its tools."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import outdial_runtime
from compliance_gate import cli
from compliance_gate.adapters.rule_pack import LAW, load_rule_pack, pin_time_zones, shipped
from compliance_gate.app import NAME, build_service
from compliance_gate.config import Config
from compliance_gate.domain.rules import RulePack


def main() -> None:
    """Runs the service or one of its tools."""
    arguments = sys.argv[1:]
    if arguments in ([], ["run"]):
        outdial_runtime.run(build_service(Config.from_env()), outdial_runtime.RunConfig.from_env(NAME))
        return
    sys.exit(cli.main(arguments, load_pack))


def load_pack(files: Sequence[Path]) -> RulePack:
    """The packs in `files` (none: the law as shipped). Raises ValueError naming file, row and field."""
    return load_rule_pack(files or shipped(*LAW), tzdata=pin_time_zones())


if __name__ == "__main__":
    main()
