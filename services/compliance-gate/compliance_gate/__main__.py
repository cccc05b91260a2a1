"""`compliance-gate` or `compliance-gate run`: the service; `migrate`: its migrations; other words: its tools."""

from __future__ import annotations

import asyncio
import sys

import outdial_runtime
from compliance_gate import cli
from compliance_gate.app import MIGRATIONS, NAME, build_service, build_tools
from compliance_gate.config import Config
from outdial_runtime.migrations import migrate_database


def main() -> None:
    """Runs the service or one of its tools."""
    arguments = sys.argv[1:]
    if arguments in ([], ["run"]):
        outdial_runtime.run(build_service(Config.from_env()), outdial_runtime.RunConfig.from_env(NAME))
        return
    if arguments == ["migrate"]:
        asyncio.run(migrate_database(Config.from_env().postgres_dsn, MIGRATIONS))
        return
    sys.exit(cli.main(arguments, build_tools()))


if __name__ == "__main__":
    main()
