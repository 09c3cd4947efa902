from pathlib import Path

from tests.cluster import hashing


def test_key_depends_on_names_bytes_and_parts_but_not_on_the_checkout(tmp_path: Path) -> None:
    keys = []
    for checkout in ("one", "two"):
        folder = tmp_path / checkout
        folder.mkdir()
        (folder / "a").write_text("x")
        keys.append(hashing.key("flags", files=[folder / "a"], base=folder))
    assert keys[0] == keys[1]
    assert len(keys[0]) == hashing.LENGTH

    one = tmp_path / "one"
    (one / "a").write_text("y")
    changed = hashing.key("flags", files=[one / "a"], base=one)
    (one / "a").rename(one / "b")
    renamed = hashing.key("flags", files=[one / "b"], base=one)
    other_flags = hashing.key("other", files=[one / "b"], base=one)
    assert len({keys[0], changed, renamed, other_flags}) == 4


def test_parts_cannot_run_into_each_other() -> None:
    assert hashing.key("ab", "c") != hashing.key("a", "bc")


def test_sources_leave_out_what_tools_leave_behind(tmp_path: Path) -> None:
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "m.pyc").touch()
    (tmp_path / "m.py").touch()
    single = tmp_path / "single"
    single.touch()
    assert hashing.sources(tmp_path) == [tmp_path / "m.py", single]
    assert hashing.sources(single) == [single]
