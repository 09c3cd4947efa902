"""What shipped files are called, and where they belong."""

from datetime import UTC, datetime
from pathlib import Path

import duckdb
from hypothesis import given
from hypothesis import strategies as st

from turnout_runtime.ship.naming import MOST, Rows, escaped, file_name, folder, folders, place_of, prefixes, scope

STEM = "predictions-20261122T130000000Z-7-1"
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)


def test_a_name_says_kind_namespace_objective_and_hour() -> None:
    name = f"{folder('predictions', 'flights', 'delay', '2026-11-22T13')}/{file_name('pod-1', STEM)}"
    assert name == f"predictions/namespace=flights/objective=delay/hour=2026-11-22T13/pod-1-{STEM}.parquet"
    place = place_of(name)
    assert place is not None
    assert place == (scope("flights", "delay"), datetime(2026, 11, 22, 13, tzinfo=UTC))


def test_what_is_no_shipped_file_has_no_place() -> None:
    for name in ("a.parquet", "predictions/x.parquet", "predictions/namespace=a/objective=b/hour=c/.x.parquet.new"):
        assert place_of(name) is None
    unknown = place_of("feedback/namespace=a/objective=__none__/hour=__none__/x.parquet")
    assert unknown is not None
    assert unknown.hour is None


@given(texts, texts)
def test_values_are_one_folder_each_and_differ_as_they_do(one: str, other: str) -> None:
    names = escaped(one), escaped(other)
    assert (names[0] == names[1]) == (one == other)
    for name in names:
        assert "/" not in name
        assert name not in (".", "..")
        assert 0 < len(name.encode()) <= 200


def test_duckdb_reads_the_values_back(tmp_path: Path) -> None:
    for number, value in enumerate(("a/b", "ü x", "c=d%", "..")):
        root = tmp_path / str(number)
        place = root / folder("predictions", "n", value, "2026-11-22T13")
        place.mkdir(parents=True)
        duckdb.sql(f"COPY (SELECT 1 AS one) TO '{tmp_path}/x.parquet'")
        (tmp_path / "x.parquet").rename(place / "x.parquet")
        table = f"read_parquet('{root}/**/*.parquet', hive_partitioning = true)"
        assert duckdb.sql(f"SELECT objective FROM {table}").fetchall() == [(value,)]


def test_made_up_objectives_share_a_folder_and_the_large_ones_keep_theirs() -> None:
    rows = [Rows("n", f"o{number}", "2026-11-22T13", 10 if number < 10 else 1) for number in range(1000)]
    found = folders("predictions", rows)
    assert len(set(found)) == MOST + 1
    assert [name for name in found[:10] if "__other__" in name] == []
    assert found == folders("predictions", rows)


def test_prefixes_are_of_both_kinds() -> None:
    assert prefixes([scope("a", "b")]) == ["predictions/namespace=a/objective=b/", "feedback/namespace=a/objective=b/"]
    assert prefixes(None) == ["predictions/", "feedback/"]
