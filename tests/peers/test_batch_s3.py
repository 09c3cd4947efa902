"""Offline runs whose tables are in a real S3 store."""

import dataclasses
import json
from pathlib import Path

import duckdb
import pytest
from tests.peers.daemons import free_port
from tests.peers.object_store import ACCESS_KEY, SECRET_KEY, ObjectStore
from tests.unit.runtime.offline.offline_bundle import ORDERS, job, rates, table

from turnout_runtime.errors import BatchInvalid
from turnout_runtime.offline import worker
from turnout_runtime.offline.run import run

LINES = "".join(json.dumps({**order, "n": n}) + "\n" for n in range(10) for order in ORDERS)


def test_tables_snapshots_and_output_in_the_store(cloud: ObjectStore, tmp_path: Path) -> None:
    orders, facts = (
        cloud.put("in/orders.jsonl", LINES.encode()),
        cloud.put("in/rates.jsonl", rates(tmp_path).read_bytes()),
    )
    remote = job(tmp_path, input=orders, output="s3://models/out/scores.parquet", facts={"rate": {"uri": facts}})
    (tmp_path / "orders.jsonl").write_text(LINES)
    run(dataclasses.replace(remote, features=True))
    local = job(tmp_path, output=str(tmp_path / "scores.parquet"))
    run(dataclasses.replace(local, features=True))
    found, expected = table(cloud.folder / "out" / "scores.parquet"), table(tmp_path / "scores.parquet")
    assert [{**row, "prediction_id": ""} for row in found] == [{**row, "prediction_id": ""} for row in expected]
    assert [path.name for path in (cloud.folder / "out").rglob("*") if path.is_file()] == ["scores.parquet"]


def test_a_folder_of_parquet_in_shards_is_taken_up_by_the_next_pod(
    cloud: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "orders.jsonl").write_text(LINES)
    with duckdb.connect() as connection:
        for part in range(3):
            where = f"n % 3 = {part}"
            connection.execute(
                f"COPY (FROM '{tmp_path}/orders.jsonl' SELECT * REPLACE (strftime(\"at\", '%Y-%m-%d') AS \"at\")"
                f" WHERE {where}) TO '{tmp_path}/{part}.parquet'"
            )
            cloud.put(f"folder/{part}.parquet", (tmp_path / f"{part}.parquet").read_bytes())
    task = job(tmp_path, input="s3://models/folder/", output="s3://models/sharded/", shards=2, rowsPerPart=4)
    answer, calls = worker.Worker.answer, 0

    def dies(self: worker.Worker, part: object, tell: object) -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise KeyboardInterrupt
        answer(self, part, tell)  # type: ignore[arg-type]

    monkeypatch.setattr(worker.Worker, "answer", dies)
    with pytest.raises(KeyboardInterrupt):
        run(task, resume="if the same")
    assert [run(dataclasses.replace(task, shard=s), resume="if the same").answered for s in (0, 1)] == [12, 20]
    rows = table(cloud.folder / "sharded" / "*.parquet")
    assert [row["row"] for row in rows] == list(range(40))
    names = sorted(path.name for path in (cloud.folder / "sharded").rglob("*") if path.is_file())
    assert names == ["part-00000-of-00002.parquet", "part-00001-of-00002.parquet"]


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("s3://models/nothing.csv", r"batch\.input: s3://models/nothing\.csv: there is no such file"),
        ("s3://models/nothing/", r"batch\.input: s3://models/nothing/: there is no such file"),
        ("s3://no-such-bucket/a.csv", r"batch\.input: s3://no-such-bucket/a\.csv"),
    ],
)
def test_what_is_not_there(cloud: ObjectStore, tmp_path: Path, uri: str, message: str) -> None:
    with pytest.raises(BatchInvalid, match=message):
        run(job(tmp_path, input=uri))


def test_wrong_credentials_are_told_and_never_shown(
    cloud: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud.put("in/locked.csv", b"a\n1\n")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "WRONGBUTSECRET")
    with pytest.raises(BatchInvalid, match="the store refuses the credentials") as caught:
        run(job(tmp_path, input="s3://models/in/locked.csv"))
    for secret in ("WRONGBUTSECRET", ACCESS_KEY, SECRET_KEY):
        assert secret not in str(caught.value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    with pytest.raises(BatchInvalid, match="cannot reach the store"):
        run(job(tmp_path, input="s3://models/in/locked.csv"))
