"""lead-router as a process."""

from __future__ import annotations

import sys

from lead_router.app import build_service
from lead_router.config import Config, ConfigError
from outdial_runtime import RunConfig, run


def main() -> None:
    """Runs the service until SIGTERM; the only word is `run`."""
    if sys.argv[1:] not in ([], ["run"]):
        sys.exit("usage: lead-router [run]")
    try:
        config = Config.from_env()
    except ConfigError as error:
        sys.exit(f"lead-router: {error}")
    run(build_service(config), RunConfig.from_env("lead-router"))


if __name__ == "__main__":
    main()
