"""lead-router as a process."""

from __future__ import annotations

import asyncio
import sys

from lead_router.app import MIGRATIONS, build_service
from lead_router.config import Config, ConfigError
from outdial_runtime import RunConfig, run
from outdial_runtime.migrations import migrate_database


def main() -> None:
    """Runs the service until SIGTERM; with `migrate` applies its database's migrations and ends."""
    if sys.argv[1:] not in ([], ["run"], ["migrate"]):
        sys.exit("usage: lead-router [run | migrate]")
    try:
        config = Config.from_env()
    except ConfigError as error:
        sys.exit(f"lead-router: {error}")
    if sys.argv[1:] == ["migrate"]:
        asyncio.run(migrate_database(config.postgres_dsn, MIGRATIONS))
        return
    run(build_service(config), RunConfig.from_env("lead-router"))


if __name__ == "__main__":
    main()
