"""analytics as a process."""

from __future__ import annotations

import asyncio
import sys

from analytics.app import MIGRATIONS, build_service
from analytics.config import Config, ConfigError
from outdial_runtime import RunConfig, run
from outdial_runtime.migrations import migrate_database


def main() -> None:
    """Runs the service until SIGTERM; with `migrate` applies its database's migrations and ends."""
    if sys.argv[1:] not in ([], ["run"], ["migrate"]):
        sys.exit("usage: analytics [run | migrate]")
    try:
        config = Config.from_env()
    except ConfigError as error:
        sys.exit(f"analytics: {error}")
    if sys.argv[1:] == ["migrate"]:
        asyncio.run(migrate_database(config.postgres_dsn, MIGRATIONS))
        return
    sys.exit(run(build_service(config), RunConfig.from_env("analytics")))


if __name__ == "__main__":
    main()
