"""Starts the gateway."""

from __future__ import annotations

import sys

from media_gateway.app import build_service
from media_gateway.config import Config
from outdial_runtime.config import RunConfig
from outdial_runtime.run import run


def main() -> None:
    """`media-gateway`: runs the service until SIGTERM."""
    sys.exit(run(build_service(Config.from_env()), RunConfig.from_env("media-gateway")))


if __name__ == "__main__":
    main()
