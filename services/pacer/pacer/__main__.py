"""The pacer as a process."""

from __future__ import annotations

import sys

from outdial_runtime import RunConfig, run
from pacer.app import build_service
from pacer.config import Config, ConfigError


def main() -> None:
    """Runs the service until SIGTERM; the only word is `run`."""
    if sys.argv[1:] not in ([], ["run"]):
        sys.exit("usage: pacer [run]")
    try:
        config = Config.from_env()
    except ConfigError as error:
        sys.exit(f"pacer: {error}")
    run(build_service(config), RunConfig.from_env("pacer"))


if __name__ == "__main__":
    main()
