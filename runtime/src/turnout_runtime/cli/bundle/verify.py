"""`turnout bundle verify`: all that a pod checks before it serves, on this machine."""

import argparse
import sys
from pathlib import Path

from turnout_runtime.bundle.digest import PATTERN
from turnout_runtime.cli.parsers import Groups, add_triton
from turnout_runtime.errors import DigestMismatch


def add_command(actions: Groups) -> None:
    """Register it."""
    verify = actions.add_parser(
        "verify",
        help="check a bundle as a pod does before it serves",
        description="Checks files, digests, requirements, model card, schemas, models, warm-up requests and golden"
        " examples. Runs the bundle's code, unless --files-only.",
    )
    verify.add_argument("bundle", type=Path, metavar="DIR|TAR")
    verify.add_argument("--digest", type=_digest_text, metavar="sha256:…", help="what its digest must be")
    verify.add_argument(
        "--require", type=_entry, action="append", default=[], metavar="KEY=VALUE", help="an entry of its model card"
    )
    verify.add_argument("--files-only", action="store_true", help="run none of the bundle's code")
    add_triton(verify)
    verify.set_defaults(run=_verify)


def _verify(arguments: argparse.Namespace) -> None:
    from turnout_runtime.cli.bundle.opened import loaded, model_server, opened
    from turnout_runtime.config import Requires
    from turnout_runtime.loading.workflow import check_card

    requires = Requires(card=dict(arguments.require))
    with opened(arguments.bundle) as bundle:
        if arguments.digest and arguments.digest != bundle.digest:
            raise DigestMismatch(f"wanted {arguments.digest}, got {bundle.digest}")
        check_card(bundle.manifest.card, requires)
        if not arguments.files_only:
            held = loaded(bundle, requires, model_server(arguments)).golden
            print(f"{held} golden examples hold" if held else "there are no golden examples", file=sys.stderr)
        print(f"{bundle.manifest.name} {bundle.manifest.version} {bundle.digest}")


def _digest_text(text: str) -> str:
    if not PATTERN.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not sha256:<64 lower-case hex digits>")
    return text


def _entry(text: str) -> tuple[str, str]:
    key, separator, value = text.partition("=")
    if not (key and separator):
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=VALUE")
    return key, value
