"""`turnout bundle golden`: see, check and update what the workflow must answer."""

import argparse
import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from turnout_runtime.cli.parsers import Groups, add_triton
from turnout_runtime.errors import BundleInvalid, GoldenExamplesFailed

if TYPE_CHECKING:
    from turnout_runtime.bundle.examples import Example
    from turnout_runtime.config import ModelServer
    from turnout_runtime.predict.prediction import Prediction


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
    add_triton(golden)
    golden.set_defaults(run=_golden)


def _golden(arguments: argparse.Namespace) -> None:
    from turnout_runtime.cli.bundle.opened import loaded, model_server, opened, staged

    folder: Path = arguments.folder
    server = model_server(arguments)
    if arguments.update:
        return _update(folder, server)
    with staged(folder) as clean, opened(clean) as bundle:
        held = loaded(bundle, server=server).golden
    print(
        f"{held} golden examples hold" if held else "there are no golden examples: name a file as golden in bundle.yaml"
    )
    return None


def _update(folder: Path, server: "ModelServer | None") -> None:
    import asyncio

    from turnout_runtime.bundle.examples import parse_examples
    from turnout_runtime.bundle.manifest import FILE
    from turnout_runtime.cli.bundle.opened import read_manifest

    name = read_manifest(folder).golden
    if name is None:
        raise BundleInvalid(f"{FILE} names no golden file: add golden: golden.jsonl, and a line a request to the file")
    file = folder / name
    before = file.read_bytes()
    examples = parse_examples(before, name, golden=False)
    answers = asyncio.run(_answered(folder, name, examples, server))
    lines = before.splitlines()
    text = b"".join(_line(lines[number - 1], answer) for number, answer in answers.items())
    fresh = file.with_name(f".{file.name}.new")
    fresh.write_bytes(text)
    os.replace(fresh, file)
    changed = sum(new != old for new, old in zip(text.splitlines(), filter(bytes.strip, lines), strict=True))
    print(f"{file}: {len(answers)} examples expect what the workflow answers now; {changed} of them changed")


async def _answered(
    folder: Path, name: str, examples: "Mapping[int, Example]", server: "ModelServer | None"
) -> dict[int, dict[str, Any]]:
    """What the workflow answers now, by line. A workflow that fails is nothing to expect: `GoldenExamplesFailed`."""
    from turnout_runtime.cli.bundle.opened import SERVING, opened, staged
    from turnout_runtime.cli.progress import bar
    from turnout_runtime.loading import load_workflow
    from turnout_runtime.loading.examples import Examples, actual, lacks, listed, told

    answers, failures = dict[int, dict[str, Any]](), dict[int, str]()
    with staged(folder) as clean, opened(clean) as bundle:
        unchecked = replace(bundle, manifest=bundle.manifest.model_copy(update={"golden": None}))
        loaded = await load_workflow(unchecked, SERVING, model_server=server, progress=bar)
        runner = Examples(loaded.workflow)
        for number, example in examples.items():
            prediction, lacking = await runner.answer(example)
            answers[number] = actual(prediction)
            if wrong := lacks(prediction, lacking):
                failures[number] = wrong
            elif prediction.status == "error" and not _meant(example, prediction):
                failures[number] = f"failed with {told(prediction, bundle.folder)}"
        await loaded.close()
    if failures:
        raise GoldenExamplesFailed(f"{name} {listed(failures)}: nothing was written; mend these first")
    return answers


def _meant(example: "Example", prediction: "Prediction") -> bool:
    """Whether the example expects this very failure."""
    return example.expect is not None and example.expect.error == prediction.error_type


def _line(text: bytes, answer: dict[str, Any]) -> bytes:
    """The line with the answer; fields that nobody set are left out."""
    document = json.loads(text)
    example = document if "request" in document else {"request": document}
    said = {name: value for name, value in answer.items() if value not in (None, False)}
    return (json.dumps({**example, "expect": said}, ensure_ascii=False) + "\n").encode()
