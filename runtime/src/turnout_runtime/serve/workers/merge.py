"""Adds up what several processes tell Prometheus, in its text format. Pure."""

from collections.abc import Iterable, Sequence

_SUMS = ("counter", "histogram", "summary")
_PARTS = (
    "_in_flight", "_queue_depth", "_waiting", "_running", "_bytes", "_open_fds", "_entries", "_batch_rows",
)  # fmt: skip
"""Ends of the names of gauges that are parts of a whole; of others the greatest is told."""
_NO_PARTS = ("_size_bytes", "_capacity_bytes", "gpu_memory_total_bytes", "gpu_memory_used_bytes")


def merge(texts: Iterable[bytes]) -> bytes:
    """One exposition of all: counters and histograms are summed, gauges summed or the greatest of them."""
    heads: dict[str, list[str]] = {}
    kinds: dict[str, str] = {}
    samples: dict[str, dict[str, float]] = {}
    for text in texts:
        family = ""
        for line in text.decode().splitlines():
            if line.startswith("# HELP ") or line.startswith("# TYPE "):
                family = _head(line, heads, kinds)
                samples.setdefault(family, {})
            elif line and not line.startswith("#"):
                _add(samples.setdefault(family, {}), line, _summed(family, kinds.get(family, "")))
    return "".join(_text(heads[family], values) for family, values in samples.items() if values).encode()


def _head(line: str, heads: dict[str, list[str]], kinds: dict[str, str]) -> str:
    _, what, family, rest = (*line.split(" ", 3), "")[:4]
    lines = heads.setdefault(family, [])
    if line not in lines:
        lines.append(line)
    if what == "TYPE":
        kinds[family] = rest
    return family


def _summed(family: str, kind: str) -> bool:
    if kind in _SUMS:
        return True
    return family.endswith(_PARTS) and not family.endswith(_NO_PARTS)


def _add(values: dict[str, float], line: str, summed: bool) -> None:
    name, _, text = line.rpartition(" ")
    value = float(text)
    before = values.get(name)
    if before is None:
        values[name] = value
    else:
        values[name] = before + value if summed else max(before, value)


def _text(head: Sequence[str], values: dict[str, float]) -> str:
    lines = [*head, *(f"{name} {value!r}" for name, value in values.items())]
    return "\n".join(lines) + "\n"
