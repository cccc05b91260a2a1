"""console as a process."""

from __future__ import annotations

import sys

from console.app import build_service
from console.config import Config, ConfigError
from outdial_runtime import RunConfig, run


def main() -> None:
    """Runs the service until SIGTERM; the only word is `run`."""
    if sys.argv[1:] not in ([], ["run"]):
        sys.exit("usage: console [run]")
    try:
        config = Config.from_env()
    except ConfigError as error:
        sys.exit(f"console: {error}")
    sys.exit(run(build_service(config), RunConfig.from_env("console")))


if __name__ == "__main__":
    main()
