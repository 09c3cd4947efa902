import contextlib
import gzip
import os
import tarfile
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.runtime.builders import member, tar_of, write_files

from turnout_runtime.bundle import archive
from turnout_runtime.bundle.archive import digest_archive, members, unpack
from turnout_runtime.bundle.paths import Budget, check_no_clash
from turnout_runtime.bundle.tree import files_in
from turnout_runtime.errors import BundleInvalid

UNSAFE = {
    "symlink": [member("a", type=tarfile.SYMTYPE, linkname="/etc/passwd")],
    "symlink, then through it": [member("a", type=tarfile.SYMTYPE, linkname="/tmp"), member("a/b", b"x")],
    "hard link": [member("a", type=tarfile.LNKTYPE, linkname="b")],
    "fifo": [member("a", type=tarfile.FIFOTYPE)],
    "device": [member("a", type=tarfile.CHRTYPE)],
    "absolute": [member("/a", b"x")],
    "parent": [member("../a", b"x")],
    "parent inside": [member("a/../../b", b"x")],
    "parent folder": [member("..", type=tarfile.DIRTYPE)],
    "dot inside": [member("a/./b", b"x")],
    "empty part": [member("a//b", b"x")],
    "newline": [member("a\nb", b"x")],
    "backslash": [member("a\\b", b"x")],
    "not UTF-8": [member("a\udcff", b"x")],
    "twice": [member("a", b"x"), member("a", b"y")],
    "twice in disguise": [member("a", b"x"), member("./a", b"y")],
    "file and folder": [member("a", b"x"), member("a/b", b"y")],
    "folder and file": [member("a/b", b"x"), member("a", b"y")],
    "compiled": [member("__pycache__/a.pyc", b"x")],
    "endless name": [member("a" * 2000, b"x")],
}


@pytest.mark.parametrize("parts", UNSAFE.values(), ids=UNSAFE.keys())
def test_an_unsafe_archive_is_refused_and_touches_nothing_outside(
    tmp_path: Path, parts: list[tuple[tarfile.TarInfo, bytes]]
) -> None:
    target = tmp_path / "deep" / "target"
    target.mkdir(parents=True)
    packed = tar_of(tmp_path / "bad.tar.gz", *parts)
    with pytest.raises(BundleInvalid):
        digest_archive(packed)
    with pytest.raises(BundleInvalid):
        unpack(packed, target)
    outside = [path for path in tmp_path.rglob("*") if not path.is_relative_to(target)]
    assert sorted(path.name for path in outside) == ["bad.tar.gz", "deep"]
    assert not any(path.is_symlink() for path in target.rglob("*"))


@given(st.lists(st.tuples(st.text("a./\\\n\0é", max_size=6), st.sampled_from(b"0125")), max_size=4))
@settings(max_examples=150, deadline=None)
def test_whatever_the_names_files_stay_inside(parts: list[tuple[str, int]]) -> None:
    with tempfile.TemporaryDirectory() as tmp:
        target = Path(tmp) / "inner" / "target"
        target.mkdir(parents=True)
        packed = Path(tmp) / "any.tar"
        tar_of(packed, *(member(name, b"x", type=bytes([kind])) for name, kind in parts), mode="w")
        with contextlib.suppress(BundleInvalid):
            unpack(packed, target)
        outside = [p for p in Path(tmp).rglob("*") if not p.is_relative_to(target)]
        assert sorted(p.name for p in outside) == ["any.tar", "inner"]
        files_in(target)


@pytest.mark.parametrize("cut", [10, 200, -20])
def test_a_cut_off_archive_is_refused(tmp_path: Path, cut: int) -> None:
    whole = tar_of(tmp_path / "whole.tar.gz", member("a", os.urandom(5000))).read_bytes()
    (tmp_path / "cut.tar.gz").write_bytes(whole[:cut])
    with pytest.raises(BundleInvalid, match=r"readable \.tar\.gz"):
        digest_archive(tmp_path / "cut.tar.gz")


@pytest.mark.parametrize("content", [b"", b"hello", b"\x1f\x8bnot gzip", gzip.compress(b"no tar inside" * 99, mtime=0)])
def test_what_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(BundleInvalid, match=r"readable \.tar\.gz"):
        digest_archive(tmp_path / "x")


def test_limits_on_files_and_bytes(tmp_path: Path) -> None:
    packed = tar_of(tmp_path / "x.tar.gz", member("a", b"12345"), member("b", b"12345"))
    assert len(list(members(packed, Budget(2, 10)))) == 2
    with pytest.raises(BundleInvalid, match="more than 1 files"):
        list(members(packed, Budget(1, 10)))
    with pytest.raises(BundleInvalid, match="larger than 9 bytes"):
        list(members(packed, Budget(2, 9)))
    with pytest.raises(BundleInvalid, match="larger than 1 bytes"):
        files_in(write_files(tmp_path / "folder", {"a": b"12"}), Budget(2, 1))


def test_a_small_archive_cannot_unpack_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_BYTES", 10_000)
    monkeypatch.setattr(archive, "_HEADERS", 0)
    # The header's size is within the budget; the bytes that follow are not.
    (tmp_path / "bomb.tar.gz").write_bytes(gzip.compress(b"\0" * 512 + b"x" * 100_000))
    with pytest.raises(BundleInvalid):
        digest_archive(tmp_path / "bomb.tar.gz")
    packed = tar_of(tmp_path / "big.tar.gz", *(member(f"f{n}", b"x" * 400) for n in range(30)))
    with pytest.raises(BundleInvalid, match="larger than allowed"):
        digest_archive(packed)


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME])
def test_a_header_cannot_fill_the_memory(tmp_path: Path, kind: bytes) -> None:
    packed = tar_of(tmp_path / "x.tar.gz", member("a", b"0" * 200_000, type=kind), member("b", b"x"))
    with pytest.raises(BundleInvalid, match="oversized header"):
        digest_archive(packed)


def test_folders_are_counted_and_none_is_kept(tmp_path: Path) -> None:
    packed = tar_of(tmp_path / "x.tar.gz", *(member(f"d{n}", type=tarfile.DIRTYPE) for n in range(5)))
    assert list(members(packed, Budget(5, 10))) == []
    with pytest.raises(BundleInvalid, match="more than 4 folders"):
        list(members(packed, Budget(4, 10)))


def test_unpacked_files_are_plain(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()
    unpack(tar_of(tmp_path / "x.tar", member("a", b"1", mode=0o4777, uid=4, mtime=1), mode="w"), target)
    assert (target / "a").stat().st_mode & 0o7111 == 0
    assert (target / "a").read_bytes() == b"1"


def test_a_folder_with_what_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BundleInvalid, match="'pipe'"):
        files_in(tmp_path)


def test_a_path_is_a_file_or_a_folder() -> None:
    check_no_clash(["a/b", "a/c", "ab"])
    with pytest.raises(BundleInvalid, match="'a/b' is both"):
        check_no_clash(["a/b", "a/b/c"])
