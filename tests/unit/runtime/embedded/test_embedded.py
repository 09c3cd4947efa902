"""A bundle's workflow inside this process."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.unit.runtime.builders import write_bundle

import turnout_runtime
from turnout_runtime.bundle.archive import digest_archive, pack
from turnout_runtime.embedded import Embedded, load
from turnout_runtime.errors import BundleNotFound, ConfigInvalid, InvalidRequest, RequestTimeout, WorkflowImportError

WORKFLOW = b"""
import asyncio
from turnout_runtime.workflow import Decision, Workflow

class Made(Workflow):
    feature_names = ("rate",)

    async def fetch(self, ctx):
        await asyncio.sleep(ctx.request.context.get("sleep", 0))
        await ctx.facts.fetch(rate=ctx.request.context.get("currency"))

    def features(self, ctx):
        return [(ctx.facts["rate"] or {}).get("rate", float("nan"))]

    async def predict(self, ctx, features):
        if ctx.request.context.get("fail"):
            raise ZeroDivisionError("on purpose")
        return 0.0 if features[0] != features[0] else features[0]

    def decide(self, ctx, score):
        ctx.facts["rate"] and ctx.facts["rate"].clear()
        return Decision("rate", score, 1.0)
"""
RATES = {"EUR": {"rate": 2.0}, "USD": {"rate": 1.0}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bundle(tmp_path_factory.mktemp("embedded") / "bundle", workflow_py=WORKFLOW)


@pytest.fixture(scope="module")
def flow(folder: Path) -> Iterator[Embedded]:
    with load(folder, facts={"rate": RATES.get}) as loaded:
        yield loaded


def ask(currency: str | None = None, **context: Any) -> dict[str, Any]:
    return {"request_id": "r", "context": {"currency": currency, **context}}


def test_it_answers_as_http_does(flow: Embedded) -> None:
    answer = flow.predict(ask("EUR"))
    assert answer.pop("prediction_id")
    assert answer == {
        "request_id": "r",
        "model_version": "made-1",
        "policy_version": None,
        "score": 2.0,
        "decision": "rate",
        "confidence": 1.0,
        "explanations_ref": None,
        "fallback_used": False,
        "fallback": None,
    }
    assert flow.predict(b'{"context": {"currency": "USD"}}')["score"] == 1.0
    assert flow.predict(ask("EUR"))["score"] == 2.0  # the workflow spoilt a copy of the fact, not the fact


def test_many_at_once(flow: Embedded) -> None:
    answers = flow.predict_many(ask(["EUR", "USD", "GBP"][n % 3]) for n in range(600))
    assert [answer["score"] for answer in answers] == [2.0, 1.0, 0.0] * 200
    assert flow.predict_many([]) == []


def test_errors_are_raised(flow: Embedded) -> None:
    with pytest.raises(InvalidRequest, match="context: must be a JSON object, and is missing"):
        flow.predict({})
    with pytest.raises(ZeroDivisionError, match="on purpose"):
        flow.predict(ask(fail=True))
    with pytest.raises(InvalidRequest):
        flow.predict_many([ask("EUR"), {"contest": {}}])
    first, second = flow.predict_many([ask("EUR"), {"contest": {}}], errors="return")
    assert isinstance(first, dict)
    assert isinstance(second, InvalidRequest)


def test_one_request_is_not_many(flow: Embedded) -> None:
    for one in (ask("EUR"), b"{}"):
        with pytest.raises(TypeError, match="predict_many takes a list of requests"):
            flow.predict_many(one)  # type: ignore[call-overload]


def test_a_fact_that_would_wait_for_its_own_request_says_so(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    with load(folder, facts={"rate": lambda key: {"rate": loaded.predict(ask())["score"]}}) as loaded:
        assert loaded.predict(ask("EUR"))["score"] == 0.0
    assert "facts.rate failed: RuntimeError: this would wait for itself" in caplog.text


@pytest.mark.parametrize(
    ("function", "told"),
    [
        (lambda key: 1 / 0, "facts.rate failed: ZeroDivisionError"),
        (lambda key: 5, "facts.rate returned int, not an ob"),
    ],
)
def test_a_function_that_fails_is_told_to_its_author(
    folder: Path, caplog: pytest.LogCaptureFixture, function: Any, told: str
) -> None:
    with load(folder, facts={"rate": function}) as loaded:
        loaded.predict_many([ask("EUR"), ask("USD")])
    assert sum(told in record.getMessage() for record in caplog.records) == 1


async def test_from_an_event_loop(flow: Embedded) -> None:
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0.001)

    ticking = asyncio.create_task(tick())
    answers = await asyncio.gather(*(flow.apredict(ask("EUR", sleep=0.05)) for _ in range(3)))
    ticking.cancel()
    assert [answer["score"] for answer in answers] == [2.0] * 3
    assert ticks > 5
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            await flow.apredict(ask(sleep=30))


def test_from_several_threads(flow: Embedded) -> None:
    scores: list[float] = []
    threads = [threading.Thread(target=lambda: scores.append(flow.predict(ask("USD"))["score"])) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert scores == [1.0] * 8


def test_facts_of_every_kind(folder: Path) -> None:
    async def later(key: str) -> dict[str, float] | None:
        await asyncio.sleep(0)
        return RATES.get(key)

    def broken(key: str) -> Any:
        raise OSError("down")

    configured = {"caller": {}, "timeoutSeconds": 1, "fallback": {"rate": 3.0}}
    for fact, expected in ((later, 2.0), ({"rate": 5.0}, 5.0), (broken, 0.0), (lambda key: 3, 0.0), (configured, 3.0)):
        with load(folder, facts={"rate": fact}) as flow:
            assert flow.predict(ask("EUR"))["score"] == expected
    with load(folder, facts={"rate": configured}) as flow:
        assert flow.predict({**ask(), "feature_refs": {"rate": {"rate": 4.0}}})["score"] == 4.0


def test_a_timeout(folder: Path) -> None:
    with load(folder, facts={"rate": RATES.get}, timeout=0.05) as flow, pytest.raises(RequestTimeout):
        flow.predict(ask(sleep=30))


def test_an_archive(folder: Path, tmp_path: Path) -> None:
    archive = tmp_path / "b.tar.gz"
    pack(folder, archive)
    with load(archive, facts={"rate": RATES.get}) as flow:
        assert flow.predict(ask("EUR"))["score"] == 2.0
    with load(str(archive), digest=digest_archive(archive), facts={}, cache=tmp_path / "cache") as flow:
        assert len(list((tmp_path / "cache").iterdir())) > 0


def test_what_cannot_be_loaded(folder: Path, tmp_path: Path) -> None:
    before = threading.active_count()
    with pytest.raises(BundleNotFound, match="does not exist"):
        load(tmp_path / "nowhere")
    with pytest.raises(BundleNotFound, match="give the digest, too"):
        load("https://example.com/b.tar.gz")
    with pytest.raises(ConfigInvalid, match="facts: list is no mapping"):
        load(folder, facts=["rate"])  # type: ignore[arg-type]
    with pytest.raises(ConfigInvalid, match=r"facts\.rate: timeoutSeconds: Field required"):
        load(folder, facts={"rate": {"redis": {"url": "redis://localhost"}}})
    with pytest.raises(ConfigInvalid, match=r"facts\.rate: int is no fact"):
        load(folder, facts={"rate": 3})
    with pytest.raises(ConfigInvalid, match=r"facts\.rate: .*exactly one of"):
        load(folder, facts={"rate": {"timeoutSeconds": 1}})
    with pytest.raises(WorkflowImportError):
        load(write_bundle(tmp_path / "bad", workflow_py=b"import nowhere"))
    assert threading.active_count() == before


def test_closed_is_closed(folder: Path) -> None:
    flow = load(folder, facts={})
    flow.close()
    flow.close()
    with pytest.raises(RuntimeError, match="load it again"):
        flow.predict(ask())


def test_the_package_offers_it_lazily() -> None:
    assert turnout_runtime.Embedded is Embedded
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        turnout_runtime.Nothing  # noqa: B018
    code = "import sys, turnout_runtime; sys.exit(any(m in sys.modules for m in ('numpy', 'pydantic', 'asyncio')))"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("first", ["", "import turnout_runtime.loading; ", "import turnout_runtime.embedded; "])
def test_load_is_the_function_whatever_was_imported_before(first: str) -> None:
    code = f"{first}from turnout_runtime import load; assert load.__module__.endswith('embedded.workflow'), load"
    subprocess.run([sys.executable, "-c", code], check=True)
