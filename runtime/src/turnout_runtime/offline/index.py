"""A snapshot's index: what was known of a key at a time, in files that all processes of this machine share.

Six files of plain numbers and bytes, read through memory maps: a snapshot may be larger than a process, its pages are
in memory once, and a lookup is two binary searches. Rows are in order of key (as bytes), time, and place in the table.
"""

import mmap
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import IO, NamedTuple

_FLUSH = 65_536  # entries between writes
_RANGES = 100_000  # keys whose place is remembered


class Entry(NamedTuple):
    """One row of a snapshot: time in nanoseconds since 1970, the value as JSON."""

    key: bytes
    time_ns: int
    value: bytes


class _Column:
    """Numbers on their way to a file."""

    def __init__(self, kind: str, out: IO[bytes]) -> None:
        self._numbers, self._out = array(kind), out

    def add(self, number: int) -> None:
        self._numbers.append(number)
        if len(self._numbers) >= _FLUSH:
            self.flush()

    def flush(self) -> None:
        self._numbers.tofile(self._out)
        del self._numbers[:]


def write_index(folder: Path, entries: Iterable[Entry]) -> int:
    """Write the index of entries that come in order of key and time; returns their number."""
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        out = {name: stack.enter_context((folder / name).open("wb")) for name in ("keys", "values")}
        numbers = {
            name: _Column(kind, stack.enter_context((folder / name).open("wb")))
            for name, kind in (("key_ends", "Q"), ("starts", "Q"), ("times", "q"), ("value_ends", "Q"))
        }
        count = key_end = value_end = 0
        last: bytes | None = None
        for key, time_ns, value in entries:
            if key != last:
                out["keys"].write(key)
                key_end, last = key_end + len(key), key
                numbers["key_ends"].add(key_end)
                numbers["starts"].add(count)
            out["values"].write(value)
            value_end += len(value)
            numbers["times"].add(time_ns)
            numbers["value_ends"].add(value_end)
            count += 1
        for column in numbers.values():
            column.flush()
    return count


class Index:
    """Reads an index; the files stay open as long as it lives."""

    def __init__(self, folder: Path) -> None:
        self._keys, self._values = _mapped(folder / "keys"), _mapped(folder / "values")
        self._key_ends, self._starts = _mapped(folder / "key_ends").cast("Q"), _mapped(folder / "starts").cast("Q")
        self._times, self._value_ends = _mapped(folder / "times").cast("q"), _mapped(folder / "value_ends").cast("Q")
        self._ranges: dict[str, tuple[int, int] | None] = {}

    def find(self, key: str, time_ns: int) -> tuple[int, bytes] | None:
        """Time and value of the key's newest row that is not later than `time_ns`; None when there is none.

        Of rows with one time the last in the table counts.
        """
        if key in self._ranges:
            place = self._ranges[key]
        else:
            if len(self._ranges) >= _RANGES:
                self._ranges.clear()
            place = self._ranges[key] = self._range(key.encode(errors="surrogatepass"))
        if place is None:
            return None
        low, high = place
        row = bisect_right(self._times, time_ns, low, high) - 1
        if row < low:
            return None
        return self._times[row], bytes(self._values[self._value_ends[row - 1] if row else 0 : self._value_ends[row]])

    def _range(self, key: bytes) -> tuple[int, int] | None:
        """The key's rows, from first to behind the last."""
        count = len(self._key_ends)
        number = bisect_left(range(count), key, key=self._key)
        if number == count or self._key(number) != key:
            return None
        return self._starts[number], self._starts[number + 1] if number + 1 < count else len(self._times)

    def _key(self, number: int) -> bytes:
        return bytes(self._keys[self._key_ends[number - 1] if number else 0 : self._key_ends[number]])


def _mapped(path: Path) -> memoryview:
    with path.open("rb") as file:
        if path.stat().st_size == 0:  # which cannot be mapped
            return memoryview(b"")
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
