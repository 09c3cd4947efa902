"""`turnout bundle golden`: see, check and update what the workflow must answer."""

import argparse
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from turnout_runtime.cli.parsers import Groups
from turnout_runtime.errors import BundleInvalid


def add_command(actions: Groups) -> None:
    """Register it."""
    golden = actions.add_parser(
        "golden",
        help="check the golden examples, or take today's answers as the expected ones",
        description="--update rewrites `expect` of every line of the golden file with what the workflow answers now,"
        " and gives one to lines that are bare prediction requests. Read the difference before you commit it.",
    )
    golden.add_argument("folder", type=Path, metavar="DIR")
    golden.add_argument("--update", action="store_true", help="write today's answers into the file")
    golden.set_defaults(run=_golden)


def _golden(arguments: argparse.Namespace) -> None:
    from turnout_runtime.cli.bundle.opened import loaded, opened, staged

    folder: Path = arguments.folder
    if arguments.update:
        return _update(folder)
    with staged(folder) as clean, opened(clean) as bundle:
        held = loaded(bundle).golden
    print(
        f"{held} golden examples hold" if held else "there are no golden examples: name a file as golden in bundle.yaml"
    )
    return None


def _update(folder: Path) -> None:
    from turnout_runtime.bundle.examples import parse_examples
    from turnout_runtime.bundle.manifest import FILE
    from turnout_runtime.cli.bundle.described import read_manifest

    manifest = read_manifest(folder)
    if manifest.golden is None:
        raise BundleInvalid(
            f"{FILE} names no golden file: add golden: golden.jsonl, and a line per request to the file"
        )
    file = folder / manifest.golden
    examples = parse_examples(file.read_bytes(), manifest.golden, golden=False)
    import asyncio

    answers = asyncio.run(_answered(folder, list(examples.values())))
    lines = [_line(text, answer) for text, answer in zip(_lines(file), answers, strict=True)]
    fresh = file.with_name(f".{file.name}.new")
    fresh.write_text("".join(lines))
    os.replace(fresh, file)
    print(f"{file}: {len(lines)} examples expect what the workflow answers now")


def _lines(file: Path) -> list[str]:
    return [line for line in file.read_text().splitlines() if line.strip()]


async def _answered(folder: Path, examples: list[Any]) -> list[dict[str, Any]]:
    """What the workflow answers now; the fields that nobody set are left out."""
    from turnout_runtime.cli.bundle.opened import SERVING, opened, staged
    from turnout_runtime.cli.progress import bar
    from turnout_runtime.loading import load_workflow
    from turnout_runtime.loading.examples import Examples, actual

    with staged(folder) as clean, opened(clean) as bundle:
        unchecked = replace(bundle, manifest=bundle.manifest.model_copy(update={"golden": None}))
        loaded = await load_workflow(unchecked, SERVING, progress=bar)
        runner = Examples(loaded.workflow)
        answers = [actual((await runner.answer(example))[0]) for example in examples]
        await loaded.close()
    return [{name: value for name, value in answer.items() if value not in (None, False)} for answer in answers]


def _line(text: str, answer: dict[str, Any]) -> str:
    document = json.loads(text)
    example = document if "request" in document else {"request": document}
    return json.dumps({**example, "expect": answer}, ensure_ascii=False) + "\n"
