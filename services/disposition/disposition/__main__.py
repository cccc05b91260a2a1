"""disposition as a process."""

from __future__ import annotations

import asyncio
import sys

from disposition.app import MIGRATIONS, build_service
from disposition.cli import webhook_schema
from disposition.config import Config, ConfigError
from outdial_runtime import RunConfig, run
from outdial_runtime.migrations import migrate_database


def main() -> None:
    """Runs the service until SIGTERM; `migrate` applies its migrations, `webhook-schema` prints what webhooks say."""
    if sys.argv[1:] == ["webhook-schema"]:
        sys.stdout.write(webhook_schema())
        return
    if sys.argv[1:] not in ([], ["run"], ["migrate"]):
        sys.exit("usage: disposition [run | migrate | webhook-schema]")
    try:
        config = Config.from_env()
    except ConfigError as error:
        sys.exit(f"disposition: {error}")
    if sys.argv[1:] == ["migrate"]:
        asyncio.run(migrate_database(config.postgres_dsn, MIGRATIONS))
        return
    sys.exit(run(build_service(config), RunConfig.from_env("disposition")))


if __name__ == "__main__":
    main()
