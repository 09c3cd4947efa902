"""A comparison in words and as JSON. Pure."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from turnout_runtime.analysis.text import clipped
from turnout_runtime.evaluation.drift.compare import Shift
from turnout_runtime.evaluation.layout import number, percent, table

_LONGEST = 2000
_SMALL = "too small: chance alone may reach a PSI of 0.1 in windows of this size"


@dataclass(frozen=True, slots=True)
class Drift:
    """One group of the current window (None: all of it) against the reference; `rows` as pairs (reference, current).

    `only_now` are columns that the reference lacks.
    """

    group: str | None
    rows: tuple[int, int]
    shifts: list[Shift]
    only_now: list[str]


def told(drift: Drift, top: int) -> str:
    """The score, the decision, and the `top` other columns that moved most."""
    before, now = drift.rows
    head = f"{drift.group + ': ' if drift.group else ''}{now:,} records against {before:,}"
    first = [shift for shift in drift.shifts if shift.name in ("score", "decision")]
    others = [shift for shift in drift.shifts if shift.name not in ("score", "decision")]
    lines = [head, table(_HEAD, [_row(shift) for shift in (*sorted(first, key=_score_first), *others[:top])])]
    if len(others) > top:
        lines.append(f"and {len(others) - top} more that moved less (--top)")
    if small := [shift.name for shift in drift.shifts if shift.verdict == "too small"]:
        lines.append(f"{_SMALL} ({len(small)} of {len(drift.shifts)} columns): take a longer one")
    if drift.only_now:
        lines.append(f"not in the reference: {clipped(', '.join(drift.only_now), _LONGEST)}")
    return "\n".join(lines)


_HEAD = ("", "verdict", "PSI", "by chance", "KS", "p", "median", "missing", "unseen")


def _score_first(shift: Shift) -> bool:
    return shift.name != "score"


def _row(shift: Shift) -> Sequence[str]:
    medians = f"{number(shift.medians[0])} → {number(shift.medians[1])}" if shift.medians else ""
    before, now = map(percent, shift.missing)
    return (
        shift.name,
        shift.verdict,
        _decimal(shift.psi),
        f"< {_decimal(shift.by_chance)}",
        "" if shift.ks is None else _decimal(shift.ks),
        "" if shift.p_value is None else _decimal(shift.p_value, ".2g"),
        medians,
        before if before == now else f"{before} → {now}",
        percent(shift.unseen) if shift.unseen else "",
    )


def _decimal(value: float, digits: str = ".3f") -> str:
    """What an empty window leaves open is a dash."""
    return format(value, digits) if math.isfinite(value) else "-"


def document(drift: Drift) -> dict[str, Any]:
    """All of it for JSON, which writes NaN as null."""
    shifts = [{**asdict(shift), "verdict": shift.verdict} for shift in drift.shifts]
    return {"group": drift.group, "rows": drift.rows, "columns": shifts, "only_now": drift.only_now}
