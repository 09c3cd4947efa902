"""Tables of text for terminals and logs of CI. Pure."""

import math
from collections.abc import Sequence


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns that line up, two spaces apart; those that are empty in all rows are left out."""
    kept = [index for index in range(len(head)) if index == 0 or any(row[index] for row in rows)]
    lines = [[line[index] for index in kept] for line in (head, *rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip() for line in lines)


def percent(share: float) -> str:
    """A share of 1, in percent."""
    return "-" if math.isnan(share) else "0 %" if share == 0 else f"{100 * share:.3g} %"


def number(value: float) -> str:
    """Four digits."""
    return "-" if math.isnan(value) else f"{value:.4g}"
