"""What the page of a log says, and that it needs nothing but itself."""

import math
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.unit.runtime.analysis.logs import feedback, record, write_hive, write_log

from turnout_runtime.analysis.database import database
from turnout_runtime.analysis.labels import LabelFile
from turnout_runtime.analysis.source import LogSource
from turnout_runtime.analysis.statistics.rates import wilson
from turnout_runtime.errors import LogInvalid
from turnout_runtime.reporting.moved import sampled
from turnout_runtime.reporting.report import Asked, document
from turnout_runtime.reporting.rows import Bar, bars
from turnout_runtime.reporting.scales import Scale, nice, short, span_of, times
from turnout_runtime.reporting.seen import Overview, Seen, quantiles

NOTHING_ASKED = Asked(None, LabelFile(None))
COUNT = 120


def seen(log: Path) -> tuple[Overview, list[Any]]:
    """What there is, and the answers to all questions."""
    with database() as connection:
        LogSource([log]).view(connection)
        found = Seen(connection)
        asked = found.traffic, found.split, found.latency, found.fallbacks, found.fact_sources, found.scores
        return found.overview, [question() for question in asked]


def rows() -> list[dict[str, Any]]:
    """Half an hour of two arms; every tenth is an error, every twelfth a fallback; a shadow."""
    made = []
    for n in range(COUNT):
        failed = n % 10 == 0
        fact = {"value": {}, "source": "stale" if n % 4 == 0 else "live", "latency_ms": 1.0, "age_ms": 1.0}
        row = record(
            f"p{n}", minute=n // 4, arm="main" if n % 4 else "next", propensity=0.7 if n % 4 else 0.3,
            revision="delay-1" if n % 4 else "delay-2", score=None if failed else (n % 20) / 20,
            decision=None if failed else "late", status="error" if failed else "ok",
            fallback_used=n % 12 == 1, fallback="rules" if n % 12 == 1 else None, facts={"weather": fact},
            stages_ms={"queue": None, "facts": 1.0, "features": 0.5, "model": 2.0, "decide": 0.1, "total": 4.0 + n},
            sample_rate=1.0, context={"<b>": "<script>alert(1)</script>"}, features={"x": float(n)},
        )  # fmt: skip
        made.append(row)
    return [*made, record("s", minute=1, shadow=True, arm="<i>", sample_rate=1.0)]


class Elements(HTMLParser):
    """Which elements there are, and what of them would be fetched."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.open: list[str] = []
        self.fetched: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.fetched += [name for name, _ in attributes if name in ("src", "href", "srcset", "xlink:href")]
        if tag not in ("meta", "path", "rect", "circle"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("path", "rect", "circle"):
            assert self.open.pop() == tag


def test_the_page_is_whole_and_needs_no_network_and_no_script(tmp_path: Path) -> None:
    write_log(tmp_path, rows())
    said = [feedback(f"f{n}", prediction_id=f"p{n}", label=n % 2, minute=60) for n in range(COUNT)]
    write_hive(tmp_path, "feedback", "2026-01-01T13", said)
    text = document(LogSource([tmp_path]), NOTHING_ASKED)
    elements = Elements(text)
    assert (elements.open, elements.fetched) == ([], [])
    assert not {"script", "link", "img", "i", "b>"} & set(elements.names)
    assert "@import" not in text
    assert "url(" not in text
    titles = re.findall(r"<h3>(.+?)</h3>", text)
    assert titles == [
        "Requests a second", "Split per arm", "Split over time", "Latency in ms", "Latency of facts in ms",
        "Latency of features in ms", "Latency of model in ms", "Latency of decide in ms",
        "Answers that rest on a fallback", "Where facts came from", "Scores by revision", "What moved most",
        "Calibration", "Quality per revision and arm",
    ]  # fmt: skip
    assert elements.names.count("svg") == len(titles) - 1
    assert "features.x" in text


def test_without_labels_there_is_no_word_of_quality(tmp_path: Path) -> None:
    text = document(LogSource([write_log(tmp_path, rows())]), NOTHING_ASKED)
    assert "Calibration" not in text


def test_its_numbers_are_those_of_the_log(tmp_path: Path) -> None:
    view, (traffic, split, latency, fallbacks, facts, (scores, width)) = seen(write_log(tmp_path, rows()))
    assert (view.records, view.requests, view.shadows, view.sampled) == (COUNT + 1, COUNT, 1, False)
    assert view.kinds == {"ok": 98, "fallback": 10, "error": 12}
    minutes = [sum(dict(points).get(start, 0.0) for points in traffic.values()) for start, _ in traffic["ok"]]
    assert (view.bucket, minutes[:-1]) == (30, pytest.approx([4 / 30] * 29))
    assert minutes[-1] == pytest.approx(
        4 / 7.5
    )  # of which the range has the very beginning, and a quarter is the least
    assert [(each.arm, each.share, each.expected) for each in split] == [
        ("main", 0.75, pytest.approx(0.7)), ("next", 0.25, pytest.approx(0.3))]  # fmt: skip
    assert all(each.low < each.share < each.high for each in split)
    assert set(latency) == {"total", "facts", "features", "model", "decide"}
    assert view.latency[0.5] == pytest.approx(4 + np.quantile(np.arange(COUNT), 0.5, method="inverted_cdf"))
    assert fallbacks == [("rules", pytest.approx(10 / COUNT))]
    assert facts == {"weather": {"live": 0.75, "stale": 0.25}}
    assert {name: pytest.approx(sum(y for _, y in points)) for name, points in scores.items()} == dict.fromkeys(
        scores, 1
    )
    assert width == pytest.approx(1 / 40)


def test_a_sampled_log_is_weighed_and_says_so(tmp_path: Path) -> None:
    sampled = [record(f"p{n}", sample_rate=0.1, arm="main", propensity=1.0) for n in range(9)]
    sampled += [record("e", sample_rate=1.0, status="error", score=None, decision=None, arm="main", propensity=1.0)]
    log = write_log(tmp_path, sampled)
    view, _ = seen(log)
    assert (view.requests, view.sampled, view.kinds["error"]) == (pytest.approx(91), True, 1)
    text = document(LogSource([log]), NOTHING_ASKED)
    assert "requests (estimated)" in text
    assert "each record counts as 1 / sample_rate requests" in text


def test_a_report_of_one_objective_has_nothing_of_others(tmp_path: Path) -> None:
    of_others = {"objective": "other", "revision": "other-1", "score": 5.0, "decision": "go", "features": {"x": -1.0}}
    others = [record(f"o{n}", minute=n // 4, **of_others) for n in range(COUNT)]
    log = write_log(tmp_path / "log", [*rows(), *others])
    said = [feedback(f"f{n}", prediction_id=f"p{n}", label=n % 2, minute=60) for n in range(COUNT)]
    said += [feedback(f"g{n}", objective="other", prediction_id=f"o{n}", label=1, minute=60) for n in range(COUNT)]
    write_hive(log, "feedback", "2026-01-01T13", said)
    text = document(LogSource([log], objective="late"), Asked(str(log), LabelFile(None)))
    assert "Quality per revision and arm" in text
    told = text[text.index("Labels: ") :].partition("<")[0]
    assert told == "Labels: 120 rows, 12 unknown, 108 used."
    assert "other-1" not in text
    assert "stable · 0.000" in text


def test_samples_of_a_reference_are_of_all_of_it() -> None:
    kept = sampled(({"t": n} for n in range(10_000)), 1000)
    assert len(kept) == 1000
    assert np.mean([each["t"] for each in kept]) == pytest.approx(5000, abs=300)
    assert sampled(({"t": n} for n in range(5)), 10) == [{"t": n} for n in range(5)]


def test_the_interval_of_a_split_is_of_entities(tmp_path: Path) -> None:
    def log(name: str, entities: int) -> Path:
        made = [record(f"p{n}", entity_id=f"e{n % entities}", arm="main" if n % entities % 2 else "next")
                for n in range(400)]  # fmt: skip
        return write_log(tmp_path / name, made)

    many, few = (seen(log(name, entities))[1][1][0] for name, entities in (("many", 400), ("few", 20)))
    assert (many.low, many.high) == pytest.approx(wilson(0.5, 400))
    assert (few.low, few.high) == pytest.approx(wilson(0.5, 19))


def test_nothing_to_report(tmp_path: Path) -> None:
    with pytest.raises(LogInvalid, match="there are no predictions in this range of the log"):
        document(LogSource([tmp_path]), NOTHING_ASKED)
    write_log(
        tmp_path, [record("p1", status="shed", score=None, decision=None, features=None, arm=None, stages_ms=None)]
    )
    assert "Requests a second" in document(LogSource([tmp_path]), NOTHING_ASKED)
    with pytest.raises(LogInvalid, match="no predictions"):
        document(LogSource([tmp_path], objective="other"), NOTHING_ASKED)


def test_weighted_quantiles() -> None:
    values, weights = np.array([3.0, 1.0, 2.0]), np.array([1.0, 1.0, 98.0])
    assert quantiles(values, weights) == [2.0, 2.0, 2.0]
    assert math.isnan(quantiles(np.empty(0), np.empty(0))[0])


def test_a_long_name_leaves_room_for_its_note() -> None:
    drawn = bars([Bar("features." + "x" * 80, 0.1, "shifted · 0.123")], 1.0, "moved")
    assert f"features.{'x' * 29}…<title>features.{'x' * 80}</title>" in drawn
    assert 'width="40.0"' in drawn


def test_axes_are_round() -> None:
    assert [nice(step) for step in (0.03, 0.2, 1.1, 7)] == pytest.approx([0.05, 0.2, 2, 10])
    assert [text for _, text in Scale(0, 0.11, 0, 1).ticks()] == ["0.00", "0.05", "0.10"]
    assert [text for _, text in Scale(0, 5000, 0, 1).ticks()] == ["0", "2k", "4k"]
    assert short(2.5e6) == "2.5M"
    assert (span_of(3600, 60), span_of(86_400, 60), span_of(10**9, 60)) == (60, 1800, 2_592_000)
    assert [text for _, text in times(Scale(0, 129_600, 0, 1))] == ["01-01", "12:00", "01-02", "12:00"]
    assert [text for _, text in times(Scale(0, 7200, 0, 1))] == ["00:00", "00:30", "01:00", "01:30", "02:00"]
    assert Scale(0, 1, 0, 10)(7) == 10
