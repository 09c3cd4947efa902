"""Counts of categories: of those that a reference knows, or of the first few in the order of the alphabet."""

from collections import Counter
from collections.abc import Iterable, Mapping

import numpy as np

from turnout_runtime.sketches.measures import psi

CATEGORIES = 64
"""The most categories that are told apart; all others are one."""


class CategorySketch:
    """Counts of the categories that are `known` from the reference, and of all others together.

    Where nothing is known the first 64 that were seen, in the order of the alphabet, are told apart: what is among
    them in the end always was, so its count is whole, and merging is exact in any order.
    """

    __slots__ = ("_counts", "known", "missing", "others")

    def __init__(
        self,
        known: tuple[str, ...] | None = None,
        counts: Mapping[str, int] | None = None,
        others: int = 0,
        missing: int = 0,
    ) -> None:
        """Empty, or with what was counted before."""
        self.known, self.others, self.missing = known, others, missing
        self._counts: Counter[str] = Counter(dict.fromkeys(known or (), 0))
        self.add(counts or {})

    def observe(self, values: Iterable[str | None]) -> None:
        """Count some values; None is missing."""
        found = Counter(values)
        self.missing += found.pop(None, 0)
        self.add({name: count for name, count in found.items() if name is not None})

    def add(self, counts: Mapping[str, int]) -> None:
        """Count values of which there are several."""
        for name, count in counts.items():
            if self.known is None or name in self._counts:
                self._counts[name] += count
            else:
                self.others += count
        if len(self._counts) > CATEGORIES:
            for name in sorted(self._counts)[CATEGORIES:]:
                self.others += self._counts.pop(name)

    @property
    def counts(self) -> dict[str, int]:
        """Values of each category that is told apart, by name, in order."""
        return {name: self._counts[name] for name in sorted(self._counts)}

    @property
    def size(self) -> int:
        """How many values there are, without the missing ones."""
        return self._counts.total() + self.others

    def empty(self) -> "CategorySketch":
        """One of the same categories that has seen nothing."""
        return CategorySketch(self.known)

    def merged(self, other: "CategorySketch") -> "CategorySketch":
        """What both have counted; raises `ValueError` for one of other categories."""
        if self.known != other.known:
            raise ValueError("the sketches have other categories: make both from the same reference")
        made = CategorySketch(self.known, self._counts, self.others + other.others, self.missing + other.missing)
        made.add(other._counts)
        return made

    def psi(self, reference: "CategorySketch") -> float:
        """PSI against the reference over the categories that both tell apart, and the rest of each."""
        both = sorted(self._names(reference) & reference._names(self))
        before, now = (
            np.array([*(one._counts[name] for name in both), one.size - sum(one._counts[name] for name in both)])
            for one in (reference, self)
        )
        return psi(before, now)

    def _names(self, other: "CategorySketch") -> set[str]:
        """The categories that this one tells apart; while it has met no others, it does so with all."""
        return {*self._counts, *other._counts} if self.known is None and not self.others else set(self._counts)


def known_categories(reference: Counter[str]) -> tuple[str, ...]:
    """The categories that sketches tell apart: the most frequent of the reference, in the order of their names."""
    ordered = sorted(reference.items(), key=lambda item: (-item[1], item[0]))
    return tuple(sorted(name for name, _ in ordered[:CATEGORIES]))
