"""Write the CustomResourceDefinitions and their reference page from the models, or check them for drift.

    python -m turnout_operator.api.crd crds/ docs/reference.md [--check]

With `--check` nothing is written: every file that differs, is missing or is left over is named, and the exit status
is 1.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from turnout_operator.api.manifest import KINDS, manifest
from turnout_operator.api.reference import render

COMMAND = "python -m turnout_operator.api.crd crds/ docs/reference.md"
HEADER = f"# generated from turnout_operator.api by `{COMMAND}`: do not edit\n"
PAGE_HEADER = f"<!-- generated from turnout_operator.api by `{COMMAND}`: do not edit -->\n"


class _Dumper(yaml.SafeDumper):
    """Writes equal parts out in full: an anchor in a manifest is hard to read and to patch."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def files(folder: Path, page: Path | None) -> dict[Path, str]:
    """The content of every generated file by its path."""
    result = {folder / f"{kind.NAMES.plural}.yaml": _yaml(manifest(kind)) for kind in KINDS}
    return result if page is None else {**result, page: PAGE_HEADER + render(KINDS)}


def _yaml(document: dict[str, Any]) -> str:
    return HEADER + yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=118)


def drift(folder: Path, wanted: dict[Path, str]) -> list[str]:
    """One line for each file that is not as generated, or that nothing generates."""
    lines = [f"{path}: left over" for path in sorted(folder.glob("*.yaml")) if path not in wanted]
    for path, text in wanted.items():
        if not path.exists():
            lines.append(f"{path}: missing")
        elif path.read_text(encoding="utf-8") != text:
            lines.append(f"{path}: differs")
    return lines


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m turnout_operator.api.crd", description=__doc__)
    parser.add_argument("folder", type=Path, help="folder of the CustomResourceDefinitions, for example crds/")
    parser.add_argument("page", type=Path, nargs="?", help="reference page, for example docs/reference.md")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when a file is not as generated")
    options = parser.parse_args(arguments)
    wanted = files(options.folder, options.page)
    if options.check:
        return _report(drift(options.folder, wanted))
    for path, text in wanted.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return 0


def _report(lines: list[str]) -> int:
    for line in lines:
        print(f"{line}; run: {COMMAND}", file=sys.stderr)
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
