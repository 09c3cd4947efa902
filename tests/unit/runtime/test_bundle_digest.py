import os
import random
import subprocess
import tarfile
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.runtime.builders import BUNDLES, member, tar_of, write_files

from turnout_runtime.bundle.archive import digest_archive, pack, unpack
from turnout_runtime.bundle.tree import digest_folder, files_in
from turnout_runtime.errors import BundleInvalid

# Letters that never make a name both a file and a folder: folders are upper case, files are not.
_FOLDERS = st.lists(st.text("ABÉ", min_size=1, max_size=3), max_size=2)
_NAMES = st.text("abc.-_ é1", min_size=1, max_size=8).filter(lambda name: name not in (".", ".."))
_PATHS = st.builds(lambda folders, name: "/".join([*folders, name]), _FOLDERS, _NAMES)
FILES = st.dictionaries(_PATHS, st.binary(max_size=200), min_size=1, max_size=6)


def _digest(contents: dict[str, bytes]) -> str:
    with tempfile.TemporaryDirectory() as tmp:
        return digest_folder(write_files(Path(tmp), contents))


@given(FILES, st.randoms(use_true_random=False), st.sampled_from(["w", "w:gz"]), st.booleans())
@settings(max_examples=40, deadline=None)
def test_packaging_does_not_matter(contents: dict[str, bytes], chance: random.Random, mode: str, dotted: bool) -> None:
    members = [
        member(
            ("./" if dotted else "") + name, content, mode=chance.choice([0o600, 0o755]), mtime=chance.randrange(9**9)
        )
        for name, content in contents.items()
    ]
    chance.shuffle(members)
    with tempfile.TemporaryDirectory() as tmp:
        folder, packed = write_files(Path(tmp) / "folder", contents), Path(tmp) / "packed.tar.gz"
        pack(folder, packed)
        unpack(packed, (unpacked := Path(tmp) / "unpacked", unpacked.mkdir())[0])
        assert digest_folder(folder) == digest_archive(packed) == digest_folder(unpacked)
        assert digest_folder(folder) == digest_archive(tar_of(Path(tmp) / "other.tar", *members, mode=mode))


@given(FILES, st.data())
@settings(max_examples=40, deadline=None)
def test_any_changed_byte_changes_it(contents: dict[str, bytes], data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(contents)))
    changed = bytearray(contents[name] or b"\0")
    if contents[name]:
        at = data.draw(st.integers(0, len(changed) - 1))
        changed[at] ^= data.draw(st.integers(1, 255))
    assert _digest({**contents, name: bytes(changed)}) != _digest(contents)


@given(FILES)
@settings(max_examples=20, deadline=None)
def test_a_renamed_added_or_missing_file_changes_it(contents: dict[str, bytes]) -> None:
    first, *rest = sorted(contents)
    variants = [
        {**contents, "zz": b""},
        {**{name: contents[name] for name in rest}, first + "x" * 9: contents[first]},
        *([{name: contents[name] for name in rest}] if rest else []),
    ]
    assert _digest(contents) not in [_digest(variant) for variant in variants]


def test_it_is_what_the_shell_says(tmp_path: Path) -> None:
    write_files(tmp_path, {"a": b"1", "a.b": b"2", "a/../Z".replace("a/../", "é/"): b"3", "B/c": b"4", "b": b"5"})
    shell = r"find . -type f | sed 's|^\./||' | LC_ALL=C sort | xargs sha256sum | sha256sum | cut -d' ' -f1"
    printed = subprocess.run(["bash", "-c", shell], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert digest_folder(tmp_path) == f"sha256:{printed.strip()}"


def test_the_same_files_pack_to_the_same_bytes(tmp_path: Path) -> None:
    one, two = (
        write_files(tmp_path / "1", {"b": b"1", "a/c": b"2"}),
        write_files(tmp_path / "2", {"a/c": b"2", "b": b"1"}),
    )
    os.utime(one / "b", (1, 1))
    (two / "b").chmod(0o700)
    pack(one, tmp_path / "1.tar.gz")
    pack(two, tmp_path / "2.tar.gz")
    assert (tmp_path / "1.tar.gz").read_bytes() == (tmp_path / "2.tar.gz").read_bytes()
    with tarfile.open(tmp_path / "1.tar.gz") as tar:
        assert [(m.name, m.uid, m.mtime, m.uname) for m in tar] == [("a/c", 0, 0, ""), ("b", 0, 0, "")]


def test_nothing_is_left_behind_when_packing_fails(tmp_path: Path) -> None:
    (write_files(tmp_path / "folder", {"a": b"1"}) / "link").symlink_to("a")
    with pytest.raises(BundleInvalid, match=r"'link'.*not a regular file"):
        pack(tmp_path / "folder", tmp_path / "out.tar.gz")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_files_are_listed_in_digest_order() -> None:
    assert files_in(BUNDLES / "import-error") == ["bundle.yaml", "helper.py", "workflow.py"]
