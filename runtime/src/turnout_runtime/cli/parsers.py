"""What the groups of commands share."""

import argparse
import re
from typing import TypeAlias

Groups: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
"""argparse's own name for a group of subcommands."""

_ADDRESS = re.compile(r"[^/\s]+:[0-9]+")


def add_triton(parser: argparse.ArgumentParser) -> None:
    """`--triton HOST:PORT`, for bundles with models of format triton."""
    parser.add_argument(
        "--triton", type=_address, metavar="HOST:PORT", help="gRPC of the Triton that the bundle's triton models run on"
    )


def _address(text: str) -> str:
    if not _ADDRESS.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT, such as localhost:8001")
    return text
