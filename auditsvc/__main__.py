"""``python -m auditsvc``: the command line."""

import sys

from auditsvc.cli import main

if __name__ == "__main__":
    sys.exit(main())
