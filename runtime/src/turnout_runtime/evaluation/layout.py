"""Tables of text for terminals and logs of CI. Pure."""

import math
from collections.abc import Sequence

from turnout_runtime.analysis.text import columns

_WIDEST = 200


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns that line up, two spaces apart; those that are empty in all rows are left out."""
    kept = [index for index in range(len(head)) if index == 0 or any(row[index] for row in rows)]
    return "\n".join(columns([[line[index] for index in kept] for line in (head, *rows)], widest=_WIDEST))


def percent(share: float) -> str:
    """A share of 1, in percent."""
    return "-" if math.isnan(share) else "0 %" if share == 0 else f"{100 * share:.3g} %"


def number(value: float) -> str:
    """Four digits."""
    return "-" if math.isnan(value) else f"{value:.4g}"
