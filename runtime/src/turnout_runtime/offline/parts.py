"""A run in parts: each written whole or not at all, so that a run that was killed goes on where it was."""

import json
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from turnout_runtime.config import Batch
from turnout_runtime.errors import BatchInvalid
from turnout_runtime.offline.place import Folder, folder_of, includes
from turnout_runtime.offline.tables import Format, format_of

Resume = Literal["no", "yes", "if the same"]
"""Whether an unfinished run is taken up; if another one was left, `yes` is an error."""

_STATE = "run.json"
_NAME = re.compile(r"part-(\d{7})\.jsonl")


@dataclass(frozen=True, slots=True)
class Part:
    """Rows of the input from `start` to `stop`, which is not in it."""

    number: int
    start: int
    stop: int


def parts_of(rows: int, size: int, shard: int = 0, shards: int = 1) -> list[Part]:
    """The parts of one shard: together all shards' parts cover each row once. An empty shard has one empty part."""
    first, last = rows * shard // shards, rows * (shard + 1) // shards
    starts = range(first, last, size) or [first]
    return [Part(number, start, min(start + size, last)) for number, start in enumerate(starts)]


@dataclass(frozen=True, slots=True)
class Output:
    """Where a run's output goes: `name` in a folder, and its `parts` in a folder below meanwhile."""

    folder: str
    name: str
    parts: str
    format: Format


def output_of(batch: Batch, shard: int) -> Output:
    """The output of one shard; raises `BatchInvalid` when the shards do not fit the output."""
    field = "batch.output"
    if batch.output.endswith("/"):
        kind = batch.format or "parquet"
        stem = f"{shard:05d}-of-{batch.shards:05d}"
        return Output(batch.output, f"part-{stem}.{kind}", f"_parts/{stem}", kind)
    if batch.shards > 1:
        raise BatchInvalid(f"{field}: {batch.shards} shards write a file each: end it in / to name a folder")
    if Path(batch.output).is_dir():
        raise BatchInvalid(f"{field}: {batch.output} is a folder: end it in / to write a file into it")
    folder, slash, name = batch.output.rpartition("/")
    return Output(folder + slash or ".", name, f"{name}.parts", format_of(name, batch.format, field))


def check_apart(batch: Batch, output: Output) -> None:
    """Raise `BatchInvalid` when the output would replace what is read, or be read by the next run."""
    read = {"batch.input": batch.input, **{f"facts.{name}.uri": at.uri for name, at in batch.facts.items()}}
    for field, uri in read.items():
        if includes(uri, output.folder, output.name):
            raise BatchInvalid(f"batch.output: {batch.output} is part of {field} ({uri}): write it somewhere else")


class Parts:
    """The finished parts of a run, in a folder beside its output."""

    def __init__(self, output: Output) -> None:
        self._outer: Folder = folder_of(output.folder)
        self._below = output.parts
        self._folder: Folder = self._outer.below(output.parts)

    def begin(self, fingerprint: Mapping[str, str], now_ns: int, resume: Resume) -> int:
        """Take up the unfinished run of the same fingerprint, if wanted; else forget what is there. The run's start.

        Raises `BatchInvalid` saying what differs, unless another run may be forgotten.
        """
        if resume != "no" and (state := self._state()) is not None:
            differ = _differences(state["fingerprint"], fingerprint)
            if not differ:
                return int(state["started_ns"])
            if resume == "yes":
                remedy = "leave --resume out to begin anew, or give what it had"
                raise BatchInvalid(f"the unfinished run had another {', '.join(differ)}: {remedy}")
        self.clear()
        with tempfile.TemporaryDirectory() as scratch:
            file = Path(scratch, "state")
            file.write_text(json.dumps({"started_ns": now_ns, "fingerprint": dict(fingerprint)}, indent=1))
            self._folder.put(file, _STATE)
        return now_ns

    def _state(self) -> Any:
        if self._folder.stamp(_STATE) is None:
            return None
        with tempfile.TemporaryDirectory() as scratch:
            return json.loads(self._folder.fetch(_STATE, Path(scratch)).read_bytes())

    def done(self) -> set[int]:
        """Numbers of the parts that are there."""
        return {int(match[1]) for name in self._folder.names() if (match := _NAME.fullmatch(name))}

    def put(self, part: Part, lines: bytes) -> None:
        """Keep a part's answers."""
        with tempfile.TemporaryDirectory() as scratch:
            file = Path(scratch, "part")
            file.write_bytes(lines)
            self._folder.put(file, _name(part))

    def fetch(self, part: Part, scratch: Path) -> Path:
        """A finished part as a file."""
        return self._folder.fetch(_name(part), scratch)

    def clear(self) -> None:
        """Forget the run; first its state, so that nobody takes up what is half gone."""
        for name in sorted(self._folder.names(), key=lambda name: name != _STATE):
            self._outer.remove(f"{self._below}/{name}")  # from outside: the folder goes with its last file


def _name(part: Part) -> str:
    return f"part-{part.number:07d}.jsonl"


def _differences(left: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """What makes an unfinished run another one."""
    return sorted(name for name in left.keys() | now.keys() if left.get(name) != now.get(name))
