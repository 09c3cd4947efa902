"""Text for terminals: columns, bars, spans of time. Pure."""

from collections.abc import Iterable, Sequence

_EIGHTHS = " ▏▎▍▌▋▊▉"


def columns(rows: Sequence[Sequence[str]], right: Iterable[int] = (), widest: int = 60) -> list[str]:
    """Lines with aligned columns; longer cells are cut. `right` are the positions that are aligned to the right."""
    cells = [[clipped(cell, widest) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    to_right = frozenset(right)
    return ["  ".join(cell.rjust(width) if index in to_right else cell.ljust(width)
                      for index, (cell, width) in enumerate(zip(row, widths, strict=True))).rstrip()
            for row in cells]  # fmt: skip


def clipped(text: str, widest: int) -> str:
    """The text in one line, cut with an ellipsis; control characters, which a terminal would obey, are shown as ·."""
    text = "".join(character if character.isprintable() else "·" for character in text[: widest + 1])
    return text if len(text) <= widest else text[: widest - 1] + "…"


def bar(share: float, width: int) -> str:
    """A bar of `share` (0..1) of `width` characters, in eighths of one."""
    eighths = round(max(0.0, min(1.0, share)) * width * 8)
    return ("█" * (eighths // 8) + _EIGHTHS[eighths % 8]).rstrip()


def span(milliseconds: float) -> str:
    """A span of time in the unit that people would say it in."""
    for unit, size in (("d", 86_400_000.0), ("h", 3_600_000.0), ("min", 60_000.0), ("s", 1000.0)):
        if milliseconds >= size:
            return f"{milliseconds / size:.1f} {unit}"
    return f"{milliseconds:.3g} ms"
