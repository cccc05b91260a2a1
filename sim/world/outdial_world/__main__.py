"""`python -m outdial_world`."""

import sys

from outdial_world.cli import main

if __name__ == "__main__":
    sys.exit(main())
