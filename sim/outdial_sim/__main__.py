"""The command `outdial-sim`."""

import sys

from outdial_sim.cli import run
from outdial_sim.config import Config


def main() -> None:
    """Run the command line; a wrong file or scenario is told in one line and exits with 2."""
    try:
        sys.exit(run(None, Config.from_env()))
    except (OSError, ValueError) as error:
        print(f"outdial-sim: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
