"""Runs a bundle's examples through the dataplane that serves, with the facts that the examples give."""

import asyncio
import math
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from turnout_runtime.bundle.code import explain
from turnout_runtime.bundle.examples import Example, Expected, parse_examples
from turnout_runtime.bundle.progress import Progress
from turnout_runtime.bundle.source import Bundle
from turnout_runtime.config import Serving
from turnout_runtime.errors import GoldenExamplesFailed, WorkflowSetupFailed
from turnout_runtime.facts import FactRule
from turnout_runtime.facts.source import Found, NoSuchKey, Scope
from turnout_runtime.predict.answer import answer
from turnout_runtime.predict.build import dataplane
from turnout_runtime.predict.prediction import Prediction
from turnout_runtime.predict.route import Route
from turnout_runtime.workflow import Workflow

_PATIENCE = 60.0  # seconds for one example; the deployment's budgets are about load, examples are about answers
_SHOWN = 3
_SERVING = Serving.model_validate(
    {
        "concurrency": 1,
        "maxQueueDepth": 1,
        "maxQueueWaitSeconds": _PATIENCE,
        "timeoutSeconds": _PATIENCE,
        "drainSeconds": 0,
    }
)


class _Given(Mapping[str, FactRule]):
    """Rules for every name that a workflow may ask for: the value is what the current example gives.

    `lacking` are the names that it does not give, `asked` those that any example asked for.
    """

    def __init__(self) -> None:
        self.asked = set[str]()
        self.values_by_name: Mapping[str, dict[str, Any] | None] = {}
        self.lacking: set[str] = set()

    def __getitem__(self, name: str) -> FactRule:
        self.asked.add(name)
        return FactRule(_GivenFact(self, name), _PATIENCE)

    def __contains__(self, name: object) -> bool:
        return True

    def __bool__(self) -> bool:
        return True  # also where the example gives none

    def __iter__(self) -> Iterator[str]:
        return iter(self.values_by_name)

    def __len__(self) -> int:
        return len(self.values_by_name)


class _GivenFact:
    """One of them as a source."""

    def __init__(self, given: _Given, name: str) -> None:
        self._given, self._name = given, name

    def get(self, key: str, scope: Scope) -> Found | asyncio.Future[Found]:
        value = self._given.values_by_name.get(self._name)
        if value is None:
            if self._name not in self._given.values_by_name:
                self._given.lacking.add(self._name)
            raise NoSuchKey(key)
        return Found(dict(value), origin="caller")


class Examples:
    """Answers examples, one after the other."""

    def __init__(self, workflow: Workflow) -> None:
        self._given = _Given()
        self._dataplane = dataplane(workflow, self._given, _SERVING, "examples")

    @property
    def asked(self) -> frozenset[str]:
        """Names of the facts that the workflow has asked for until now."""
        return frozenset(self._given.asked)

    async def answer(self, example: Example) -> tuple[Prediction, set[str]]:
        """The prediction, and the names of the facts that the workflow asked for and the example does not give."""
        self._given.values_by_name, self._given.lacking = example.facts, set()
        prediction = await self._dataplane.predict(Route("examples"), example.request, time_ns=example.time_ns)
        return prediction, self._given.lacking


async def check_golden(runner: Examples, bundle: Bundle, progress: Progress) -> int:
    """How many golden examples hold; raises `GoldenExamplesFailed` saying which lines do not, and how."""
    failures, file, count = dict[int, str](), bundle.manifest.golden, 0
    async for number, example, prediction, lacking in _answers(runner, bundle, file, progress, golden=True):
        count += 1
        assert example.expect is not None
        if wrong := lacks(prediction, lacking):
            failures[number] = wrong
        elif differ := differences(example.expect, prediction, example.tolerance, bundle.folder):
            failures[number] = ", ".join(differ)
    if failures:
        raise GoldenExamplesFailed(f"{file} {listed(failures)}: correct the workflow, or what the examples expect")
    return count


def lacks(prediction: Prediction, lacking: set[str]) -> str | None:
    """What an example must say of the facts that its workflow asked for."""
    if not lacking or prediction.status == "invalid":
        return None
    return f"the workflow fetches the fact {min(lacking)!r}: give it in facts, or null"


def listed(failures: Mapping[int, str]) -> str:
    """The first failures by line, the lines of one and the same together."""
    lines: dict[str, list[int]] = {}
    for number, text in failures.items():
        lines.setdefault(text, []).append(number)
    shown = list(lines.items())[:_SHOWN]
    told = [f"{_lines(numbers)}: {text}" for text, numbers in shown]
    more = len(failures) - sum(len(numbers) for _, numbers in shown)
    return "; ".join(told) + (f" (and {more} more)" if more else "")


def _lines(numbers: Sequence[int]) -> str:
    if len(numbers) == 1:
        return f"line {numbers[0]}"
    more = f" and {len(numbers) - _SHOWN} more" if len(numbers) > _SHOWN else ""
    return f"lines {', '.join(map(str, numbers[:_SHOWN]))}{more}"


async def warm_up(runner: Examples, bundle: Bundle, progress: Progress) -> None:
    """Answer the warm-up requests, so that no caller pays for a first time; raises `WorkflowSetupFailed`."""
    file = bundle.manifest.warmup
    async for number, _, prediction, _ in _answers(runner, bundle, file, progress, golden=False):
        if prediction.status != "ok":
            raise WorkflowSetupFailed(
                f"{file} line {number}: {told(prediction, bundle.folder)}: correct the workflow or the request"
            )


async def _answers(
    runner: Examples, bundle: Bundle, file: str | None, progress: Progress, *, golden: bool
) -> AsyncIterator[tuple[int, Example, Prediction, set[str]]]:
    if file is None:
        return
    examples = parse_examples((bundle.folder / file).read_bytes(), file, golden=golden)
    with progress("golden examples" if golden else "warm-up requests", len(examples), " examples") as tell:
        for number, example in examples.items():
            prediction, lacking = await runner.answer(example)
            tell(1)
            yield number, example, prediction, lacking


def told(prediction: Prediction, folder: Path) -> str:
    """What went wrong with a prediction, and where in the bundle's code when it was that."""
    if prediction.status == "error" and prediction.error is not None:
        return explain(prediction.error, folder.resolve())
    return f"{prediction.error_type}: {prediction.error}"


def actual(prediction: Prediction) -> dict[str, Any]:
    """What a prediction's answer says, under the names of `Expected`."""
    if prediction.error is not None or prediction.decision is None:
        return {"error": prediction.error_type}
    body = answer(prediction, "")
    return {name: body.get(name) for name in Expected.model_fields if name != "error"}


def differences(expected: Expected, prediction: Prediction, tolerance: float, folder: Path) -> list[str]:
    """What of the answer is not as expected, in words."""
    if prediction.error is not None and expected.error is None:
        return [f"failed with {told(prediction, folder)}"]
    got = actual(prediction)
    wanted = {name: getattr(expected, name) for name in Expected.model_fields if name in expected.model_fields_set}
    return [
        f"{name} is {got.get(name)!r}, expected {value!r}"
        for name, value in wanted.items()
        if not _same(value, got.get(name), tolerance)
    ]


def _same(wanted: Any, got: Any, tolerance: float) -> bool:
    """Equal, numbers within the tolerance; an object may have fields that nobody asked for."""
    if isinstance(wanted, dict) and isinstance(got, dict):
        return all(name in got and _same(value, got[name], tolerance) for name, value in wanted.items())
    if isinstance(wanted, list) and isinstance(got, list):
        return len(wanted) == len(got) and all(map(lambda a, b: _same(a, b, tolerance), wanted, got))
    if _number(wanted) and _number(got):
        return wanted == got or math.isclose(wanted, got, rel_tol=0.0, abs_tol=tolerance)
    return type(wanted) is type(got) and bool(wanted == got)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
