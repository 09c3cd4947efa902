"""What the groups of commands share: argparse's own name for a group of subcommands."""

import argparse
from typing import TypeAlias

Groups: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
