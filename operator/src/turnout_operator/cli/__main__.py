"""`python -m turnout_operator.cli`."""

import sys

from turnout_operator.cli import main

if __name__ == "__main__":
    sys.exit(main())
