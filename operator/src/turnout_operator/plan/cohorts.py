"""Which cohorts each arm has, so that a changed split moves no entity that needn't move.

An entity's cohort is its hash bucket, 0 to 9,999. A split gives each arm spans of cohorts. From one split to the next
an arm that shrinks gives up cohorts, an arm that grows gets some of those, and all others stay: no split with these
weights is nearer to the one before.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

from turnout_operator.plan.routes import TOTAL_WEIGHT, Layout, Span

MAX_SPANS = 256
"""A split that would have more is laid out anew: Envoy looks through them one by one."""


class _Piece(NamedTuple):
    arm: str | None
    width: int


def lay_out(weights: Mapping[str, int]) -> Layout:
    """The first split: candidates in order from cohort 0 on, and last the stable arm, which is the first of `weights`.

    Weights are basis points that sum to `TOTAL_WEIGHT`.
    """
    stable, *candidates = weights
    return tuple(Span(arm, weights[arm]) for arm in (*candidates, stable) if weights[arm])


def allot(weights: Mapping[str, int], before: Layout) -> Layout:
    """The split with these weights that moves the fewest cohorts of `before`.

    A candidate gives up what it got last and the stable arm its lowest cohorts, so that a step back undoes a step.
    """
    if sum(span.width for span in before) != TOTAL_WEIGHT:
        return lay_out(weights)
    stable = next(iter(weights))
    pieces = [_Piece(span.arm if weights.get(span.arm) else None, span.width) for span in before]
    for arm, weight in weights.items():
        excess = _width(pieces, arm) - weight
        if excess > 0:
            pieces = _release(pieces, arm, excess) if arm == stable else _release(pieces[::-1], arm, excess)[::-1]
    wanted = {arm: weight - _width(pieces, arm) for arm, weight in weights.items()}
    spans = _merged(_filled(pieces, wanted))
    return spans if len(spans) <= MAX_SPANS else lay_out(weights)


def _width(pieces: Iterable[_Piece], arm: str) -> int:
    return sum(piece.width for piece in pieces if piece.arm == arm)


def _release(pieces: Iterable[_Piece], arm: str, excess: int) -> list[_Piece]:
    """Free the first `excess` cohorts of an arm."""
    left: list[_Piece] = []
    for piece in pieces:
        given = min(excess, piece.width) if piece.arm == arm else 0
        excess -= given
        left += (_Piece(None, given), _Piece(piece.arm, piece.width - given))
    return [piece for piece in left if piece.width]


def _filled(pieces: Sequence[_Piece], wanted: dict[str, int]) -> Iterator[Span]:
    """Give each free piece to arms that want more: to those beside it first, which keeps spans few."""
    before: str | None = None
    for number, piece in enumerate(pieces):
        if piece.arm:
            yield Span(piece.arm, piece.width)
            before = piece.arm
            continue
        after = next((other.arm for other in pieces[number + 1 :] if other.arm), None)
        for span in _shared(piece.width, before, after, wanted):
            yield span
            before = span.arm


def _shared(width: int, before: str | None, after: str | None, wanted: dict[str, int]) -> Iterator[Span]:
    """Share a free piece: what its neighbours want comes first, and lies beside them."""
    stable, *candidates = wanted
    others = [arm for arm in (*candidates, stable) if arm not in (before, after)]
    given = {}
    for arm in dict.fromkeys([before, after, *others]):
        if arm is not None and wanted[arm] > 0 and width:
            given[arm] = min(width, wanted[arm])
            wanted[arm] -= given[arm]
            width -= given[arm]
    for arm in dict.fromkeys([before, *others, after]):
        if arm in given:
            yield Span(arm, given[arm])


def _merged(spans: Iterable[Span]) -> Layout:
    groups = groupby(spans, key=lambda span: span.arm)
    return tuple(Span(arm, sum(span.width for span in group)) for arm, group in groups)


def cohorts_of(layout: Layout, arm: str) -> str:
    """An arm's cohorts as text, for example `0-499,7000-7249`; empty when it has none."""
    found, start = [], 0
    for span in layout:
        if span.arm == arm:
            found.append(f"{start}-{start + span.width - 1}")
        start += span.width
    return ",".join(found)


def from_cohorts(cohorts: Mapping[str, str]) -> Layout:
    """The layout that `cohorts_of` tells of each arm; empty when the texts aren't those of one whole split."""
    try:
        parts = sorted(
            (int(first), int(last), arm)
            for arm, text in cohorts.items()
            for first, _, last in (part.partition("-") for part in text.split(",") if part)
        )
    except ValueError:
        return ()
    ends = [-1, *(last for _, last, _ in parts)]
    whole = all(first == end + 1 and first <= last for (first, last, _), end in zip(parts, ends, strict=False))
    if not whole or ends[-1] != TOTAL_WEIGHT - 1:
        return ()
    return tuple(Span(arm, last - first + 1) for first, last, arm in parts)
