"""What a report shows of predictions, as numbers: one reading of the log into a narrow table, then questions to that.

Rows weigh 1 / sample_rate, so that shares and rates are those of all requests. Shadows are left out unless said.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from turnout_runtime.analysis.database import one
from turnout_runtime.analysis.schema import STAGES
from turnout_runtime.analysis.statistics import Array
from turnout_runtime.analysis.statistics.rates import share
from turnout_runtime.errors import LogInvalid
from turnout_runtime.offline.sql import literal
from turnout_runtime.reporting.scales import span_of

_BUCKETS, _BINS, _MOST = 60, 40, 8
KINDS = ("ok", "fallback", "shed", "timeout", "error", "invalid")
QUANTILES = (0.5, 0.95, 0.99)
Points = list[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Overview:
    """Times in seconds since 1970; `bucket` seconds are one step of time. `requests` are estimated where sampled."""

    first: float
    last: float
    bucket: int
    records: int
    shadows: int
    requests: float
    sampled: bool
    objectives: list[str]
    revisions: list[str]
    kinds: Mapping[str, float]
    latency: Mapping[float, float]


class Split(NamedTuple):
    """An arm's share of the requests with its interval, and what the policies' propensities say that it should be."""

    arm: str
    share: float
    low: float
    high: float
    expected: float | None


class Seen:
    """The table `seen` in a connection that has the view `predictions`."""

    def __init__(self, connection: Any) -> None:
        """Reads the log once; raises `LogInvalid` when nothing is there."""
        self._connection = connection
        kind = "CASE WHEN status = 'ok' AND fallback_used THEN 'fallback' ELSE status END"
        stages = ", ".join(f"stages_ms.{stage} AS {stage}" for stage in STAGES)
        connection.execute(
            f"CREATE TEMP TABLE seen AS SELECT epoch_us(time) / 1e6 AS t, {kind} AS kind, namespace, objective,"
            f" coalesce(revision, '-') AS revision, coalesce(arm, '-') AS arm, policy_version, propensity, score,"
            f" fallback, coalesce(shadow, false) AS shadow, 1 / coalesce(sample_rate, 1) AS w, {stages},"
            " CASE WHEN entity_id IS NULL THEN hash(prediction_id) ELSE hash(entity_id) END AS entity"
            " FROM predictions WHERE time IS NOT NULL"
        )
        self.overview = self._overview()
        connection.execute("CREATE TEMP VIEW live AS SELECT * FROM seen WHERE NOT shadow")

    def _overview(self) -> Overview:
        first, last, records, shadows, requests, sampled, objectives, revisions = one(
            self._connection,
            "SELECT min(t), max(t), count(*), count(*) FILTER (shadow), sum(w) FILTER (NOT shadow), max(w) > 1,"
            " list(DISTINCT concat_ws('/', namespace, objective)), list(DISTINCT revision) FROM seen",
        )
        if not records:
            raise LogInvalid("there are no predictions in this range of the log")
        kinds = dict(self._rows("SELECT kind, sum(w) FROM seen WHERE NOT shadow GROUP BY 1"))
        total, weights = self._columns("SELECT total, w FROM seen WHERE NOT shadow AND total IS NOT NULL")
        latency = dict(zip(QUANTILES, quantiles(total, weights), strict=True))
        return Overview(
            first, last, span_of(max(1.0, last - first), _BUCKETS), records, shadows, requests or 0.0, bool(sampled),
            sorted(objectives), sorted(revisions), kinds, latency,
        )  # fmt: skip

    def traffic(self) -> dict[str, Points]:
        """Requests a second over time, by kind; steps that the range has in part count for the part."""
        view = self.overview
        covered = f"least(start + {view.bucket}, {view.last}) - greatest(start, {view.first})"
        rate = f"sum(w) / greatest({covered}, {view.bucket} / 4)"
        rows = f"SELECT kind, {self._start} AS start, w FROM live"
        return self._grouped(f"SELECT kind, start, {rate} FROM ({rows}) GROUP BY kind, start ORDER BY start")

    def split(self) -> list[Split]:
        """Arms with traffic, the largest first. A propensity is that of its policy version.

        Requests of an entity share their arm, so intervals are of entities where these repeat.
        """
        arms = [arm for arm, _ in self._rows(
            "SELECT arm, sum(w) FROM live WHERE arm <> '-' GROUP BY 1 ORDER BY 2 DESC, 1")]  # fmt: skip
        expected = dict(self._rows(
            "SELECT arm, sum(p * n) / (SELECT sum(w) FROM live WHERE propensity IS NOT NULL)"
            " FROM (SELECT arm, policy_version, sum(w * propensity) / sum(w) AS p FROM live"
            " WHERE propensity IS NOT NULL GROUP BY ALL)"
            " JOIN (SELECT policy_version, sum(w) AS n FROM live WHERE propensity IS NOT NULL GROUP BY 1)"
            " USING (policy_version) GROUP BY 1"
        ))  # fmt: skip
        place = f"list_position([{', '.join(map(literal, arms))}]::VARCHAR[], arm)"
        places, entities, weights = self._columns(f"SELECT {place}, entity, w FROM live WHERE arm <> '-'")
        codes = np.unique(entities, return_inverse=True)[1]
        among = codes if codes.max(initial=-1) + 1 < len(codes) else None
        found = []
        for number, arm in enumerate(arms[:_MOST], 1):
            each = share((places == number).astype(np.float64), weights, clusters=among)
            assert each.value is not None
            assert each.low is not None
            assert each.high is not None
            found.append(Split(arm, each.value, each.low, each.high, expected.get(arm)))
        return found

    def split_over_time(self) -> dict[str, Points]:
        """Each arm's share over time."""
        share = "sum(w) / sum(sum(w)) OVER (PARTITION BY start)"
        rows = f"SELECT arm, {self._start} AS start, w FROM live WHERE arm <> '-'"
        return self._grouped(f"SELECT arm, start, {share} FROM ({rows}) GROUP BY arm, start ORDER BY start")

    def latency(self) -> dict[str, dict[float, Points]]:
        """Milliseconds over time, by stage and quantile; stages that nothing reached are left out."""
        found = {}
        for stage in STAGES:
            columns = self._columns(f"SELECT {self._start}, {stage}, w FROM live WHERE {stage} IS NOT NULL ORDER BY 1")
            starts, values, weights = columns
            if len(starts) and float(values.max()) > 0:
                found[stage] = _over_time(starts, values, weights, self.overview.bucket)
        return found

    def fallbacks(self) -> list[tuple[str, float]]:
        """Shares of all requests whose answer rests on each kind of fallback."""
        share = "sum(w) / (SELECT sum(w) FROM live)"
        return self._rows(f"SELECT fallback, {share} FROM live WHERE fallback IS NOT NULL GROUP BY 1 ORDER BY 2 DESC")

    def fact_sources(self) -> dict[str, dict[str, float]]:
        """Of each fact the shares of where it came from."""
        live = "FROM predictions WHERE NOT coalesce(shadow, false)"
        entries = f"SELECT unnest(map_entries(facts)) AS e, 1 / coalesce(sample_rate, 1) AS w {live}"
        rows = self._rows(f"SELECT e.key, e.value.source, sum(w) FROM ({entries}) GROUP BY ALL ORDER BY 1")
        found: dict[str, dict[str, float]] = {}
        for name, source, weight in rows:
            found.setdefault(name, {})[str(source)] = weight
        return {name: {source: each / sum(parts.values()) for source, each in parts.items()}
                for name, parts in found.items()}  # fmt: skip

    def scores(self) -> tuple[dict[str, Points], float]:
        """Of each revision the share of answers in bins of the score, and the bins' width; also shadows'."""
        low, high = one(self._connection, "SELECT quantile_cont(score, 0.001), quantile_cont(score, 0.999) FROM seen")
        if low is None:
            return {}, 0.0
        low, high = (0.0, 1.0) if low >= 0 and high <= 1 else (low, high)
        width = (high - low) / _BINS or 1.0
        place = f"least({_BINS - 1}, greatest(0, floor((score - {low}) / {width})))"
        share = "sum(w) / sum(sum(w)) OVER (PARTITION BY name)"
        names = "revision || CASE WHEN shadow THEN ' (shadow)' ELSE '' END"
        rows = f"SELECT {names} AS name, {place} AS place, w FROM seen WHERE score IS NOT NULL"
        found = self._grouped(
            f"SELECT name, {low} + place * {width}, {share} FROM ({rows}) GROUP BY name, place ORDER BY 2"
        )
        return {name: _filled(points, low, width) for name, points in found.items()}, width

    @property
    def _start(self) -> str:
        return f"floor(t / {self.overview.bucket}) * {self.overview.bucket}"

    def _rows(self, sql: str) -> list[Any]:
        return list(self._connection.execute(sql).fetchall())

    def _grouped(self, sql: str) -> dict[str, Points]:
        found: dict[str, Points] = {}
        for name, x, y in self._rows(sql):
            found.setdefault(name, []).append((x, y))
        return dict(sorted(found.items(), key=lambda item: (-len(item[1]), item[0]))[:_MOST])

    def _columns(self, sql: str) -> Sequence[Array]:
        return [np.asarray(column, np.float64) for column in self._connection.execute(sql).fetchnumpy().values()]


def quantiles(values: Array, weights: Array) -> list[float]:
    """Weighted quantiles: the smallest values at or below which so much of the weight lies."""
    if not len(values):
        return [float("nan")] * len(QUANTILES)
    order = np.argsort(values)
    share = np.cumsum(weights[order])
    return [float(values[order][np.searchsorted(share, q * share[-1])]) for q in QUANTILES]


def _over_time(starts: Array, values: Array, weights: Array, bucket: int) -> dict[float, Points]:
    """Ordered by start; a step of time without any value breaks the line."""
    found: dict[float, Points] = {q: [] for q in QUANTILES}
    edges = np.flatnonzero(np.diff(starts)) + 1
    parts = zip(np.split(starts, edges), np.split(values, edges), np.split(weights, edges), strict=True)
    for at, part, weight in parts:
        for q, value in zip(QUANTILES, quantiles(part, weight), strict=True):
            if found[q] and at[0] - found[q][-1][0] > 1.5 * bucket:
                found[q].append((float(at[0]) - bucket / 2, float("nan")))
            found[q].append((float(at[0]) + bucket / 2, value))
    return found


def _filled(points: Points, low: float, width: float) -> Points:
    """All bins, also the empty ones."""
    there = {round((x - low) / width): y for x, y in points}
    return [(low + number * width, there.get(number, 0.0)) for number in range(_BINS)]
