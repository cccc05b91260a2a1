"""Starts disposition."""

from __future__ import annotations

import sys

from disposition.app import build_service
from disposition.config import Config
from outdial_runtime.config import RunConfig
from outdial_runtime.run import run


def main() -> None:
    """`disposition`: runs the service until SIGTERM."""
    sys.exit(run(build_service(Config.from_env()), RunConfig.from_env("disposition")))


if __name__ == "__main__":
    main()
