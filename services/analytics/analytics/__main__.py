"""Starts analytics."""

from __future__ import annotations

import sys

from analytics.app import build_service
from analytics.config import Config
from outdial_runtime.config import RunConfig
from outdial_runtime.run import run


def main() -> None:
    """`analytics`: runs the service until SIGTERM."""
    sys.exit(run(build_service(Config.from_env()), RunConfig.from_env("analytics")))


if __name__ == "__main__":
    main()
