"""Starts console."""

from __future__ import annotations

import sys

from console.app import build_service
from console.config import Config
from outdial_runtime.config import RunConfig
from outdial_runtime.run import run


def main() -> None:
    """`console`: runs the service until SIGTERM."""
    sys.exit(run(build_service(Config.from_env()), RunConfig.from_env("console")))


if __name__ == "__main__":
    main()
