"""`python -m turnout_runtime.cli`."""

import sys

from turnout_runtime.cli import main

sys.exit(main())
