"""The sinks that need no server: a folder, the standard output; and the retention that belongs to them."""

import asyncio
import errno
import fcntl
import logging
import os
from pathlib import Path

import pytest
from tests.unit.runtime.ship.segments import row

from turnout_runtime.config.ship import DirectorySink, Retention
from turnout_runtime.ship import directory, stdout
from turnout_runtime.ship.backlog import Backlog
from turnout_runtime.ship.backoff import Backoff
from turnout_runtime.ship.conversions import Conversions
from turnout_runtime.ship.directory import DirectoryFiles
from turnout_runtime.ship.keeper import Keeper
from turnout_runtime.ship.lanes import FileLane
from turnout_runtime.ship.naming import scope
from turnout_runtime.ship.plan import Sinks
from turnout_runtime.ship.progress import ProgressFiles
from turnout_runtime.ship.roots import DirectoryRoot
from turnout_runtime.ship.sink import Position, ShippedFile, SinkFailed
from turnout_runtime.ship.stdout import StdoutRows

AT = Position("predictions-20261122T130000000Z-7-1", 10)


def shipped(tmp_path: Path, content: bytes = b"parquet") -> ShippedFile:
    (tmp_path / "made").write_bytes(content)
    return ShippedFile(tmp_path / "made", "predictions/namespace=a/x.parquet", 1, len(content))


async def test_a_file_that_comes_again_replaces_the_first(tmp_path: Path) -> None:
    sink = DirectoryFiles("disk", DirectorySink(path=tmp_path / "lake"))
    target = tmp_path / "lake" / "predictions" / "namespace=a"
    for content in (b"first", b"second"):
        await sink.put(shipped(tmp_path, content))
        assert [(path.name, path.read_bytes()) for path in target.iterdir()] == [("x.parquet", content)]


@pytest.mark.parametrize(("place", "reason"), [("/proc/nothing", "missing"), ("/dev/null/x", "missing")])
async def test_a_folder_that_cannot_be_is_told_with_a_remedy(tmp_path: Path, place: str, reason: str) -> None:
    with pytest.raises(SinkFailed, match=f"sink disk: {place}: .*: check the path") as caught:
        await DirectoryFiles("disk", DirectorySink(path=Path(place))).put(shipped(tmp_path))
    assert caught.value.reason == reason


async def test_a_full_disk_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(source: Path, target: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(directory, "store", full)
    with pytest.raises(SinkFailed, match="make room") as caught:
        await DirectoryFiles("disk", DirectorySink(path=tmp_path)).put(shipped(tmp_path))
    assert caught.value.reason == "full"


async def test_rows_are_lines_and_a_reader_that_stands_still_stops_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    sink, rows = StdoutRows("console", writer), [row(number) for number in range(100)]
    monkeypatch.setattr(stdout, "_PAUSE", 0.001)
    sending = asyncio.create_task(sink.send(rows, AT))
    await asyncio.sleep(0)
    assert not sending.done()
    wanted, read = b"".join(rows), bytearray()
    while len(read) < len(wanted):
        read += await asyncio.to_thread(os.read, reader, 65536)
    assert await sending == len(rows)
    assert bytes(read) == wanted
    monkeypatch.setattr(stdout, "_PATIENCE", 0.0)
    os.write(writer, b"x" * 4096)
    with pytest.raises(SinkFailed, match="nobody reads"):
        await sink.send(rows, AT)
    os.close(reader)
    os.close(writer)


async def test_a_line_that_was_torn_off_spoils_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    sink, long = StdoutRows("console", writer), row(1, pad="x" * 5000)
    monkeypatch.setattr(stdout, "_PATIENCE", stdout._PAUSE)
    with pytest.raises(SinkFailed):
        await sink.send([long], AT)
    read = os.read(reader, 4096)
    monkeypatch.setattr(stdout, "_PATIENCE", 30.0)
    sending = asyncio.create_task(sink.send([long, row(2)], AT))
    while not read.endswith(row(2)):
        read += await asyncio.to_thread(os.read, reader, 4096)
    await sending
    assert read.splitlines(keepends=True)[1:] == [long, row(2)]
    os.close(reader)
    os.close(writer)


async def test_the_keeper_deletes_in_its_own_scope_and_tells_what_fails(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    old = f"predictions/{scope('flights', 'delay')}/hour=2020-01-01T00/a.parquet"
    (tmp_path / old).parent.mkdir(parents=True)
    (tmp_path / old).write_bytes(b"12345")
    backlog = Backlog(tmp_path, Sinks(("disk",), ()), ProgressFiles(tmp_path))
    sink = DirectoryFiles("disk", DirectorySink(path=tmp_path))
    lane = FileLane("disk", backlog, Backoff(), sink, Conversions(tmp_path, tmp_path, "p"))
    retention = Retention.model_validate({"ageSeconds": 3600})
    keeper = Keeper(retention, {"disk": DirectoryRoot(tmp_path)}, {"disk": lane})
    await keeper.once("disk")
    assert lane.counts.expired_files == 0
    lane.scopes.add(scope("flights", "delay"))
    await keeper.once("disk")
    assert lane.counts.expired_files == 1
    with caplog.at_level(logging.ERROR):
        await Keeper(Retention.model_validate({"ageSeconds": 3600}), {"disk": Broken(tmp_path)}, {"disk": lane}).once(
            "disk"
        )
    assert "retention failed" in caplog.text


class Broken(DirectoryRoot):
    def _files(self, prefix: str) -> list[object]:  # type: ignore[override]
        raise OSError(5, "Input/output error")
