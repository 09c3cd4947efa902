"""`turnout bundle init`: a first bundle that works."""

import argparse
import re
from importlib import resources
from pathlib import Path

from turnout_runtime.cli.parsers import Groups
from turnout_runtime.errors import BundleInvalid

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_MODEL = "flight-delay"  # the name that the template itself has
FILES = ("bundle.yaml", "workflow.py", "golden.jsonl", "README.md")


def add_command(actions: Groups) -> None:
    """Register it."""
    init = actions.add_parser("init", help="write a small bundle that works, to start from")
    init.add_argument(
        "folder", type=Path, metavar="NAME", help="the bundle's name, and the new folder (or a path to it)"
    )
    init.set_defaults(run=_init)


def _init(arguments: argparse.Namespace) -> None:
    folder: Path = arguments.folder
    name = folder.resolve().name
    if not _NAME.fullmatch(name):
        raise BundleInvalid(f"{name!r} is no name for a bundle: use lower-case letters, digits and -, as in {_MODEL}")
    if folder.exists() and any(folder.iterdir()):
        raise BundleInvalid(f"{folder} is there already, and not empty: choose another name, or edit what is there")
    folder.mkdir(parents=True, exist_ok=True)
    for file in FILES:
        (folder / file).write_text(_filled(file, name))
        print(folder / file)
    print(f"\nTry it: turnout bundle run {folder}")


def _filled(file: str, name: str) -> str:
    text = (resources.files(__package__) / "template" / file).read_text()
    return text.replace(_MODEL, name).replace(class_name(_MODEL), class_name(name))


def class_name(name: str) -> str:
    """`flight-delay` → `FlightDelay`; a name that no class can have gets `Model` before it."""
    joined = "".join(part.capitalize() for part in name.split("-"))
    return joined if joined[0].isalpha() else f"Model{joined}"
