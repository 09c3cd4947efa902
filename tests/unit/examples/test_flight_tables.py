"""The example's tables give in a batch what training computed from the same flights."""

from pathlib import Path

import duckdb
import numpy as np
from flight_delay import rows
from flight_delay.bundles import Data, build, load_workflow
from flight_delay.data import Flight
from flight_delay.offline import Snapshot, feature_rows

from turnout_runtime.bundle.archive import unpack
from turnout_runtime.bundle.manifest import parse
from turnout_runtime.cli import main


def test_a_batch_computes_the_features_of_training(
    small_data: Data, some_flights: list[Flight], snapshot: Snapshot, tmp_path: Path
) -> None:
    built, flights = build("challenger", small_data, tmp_path), some_flights[::5]
    rows.write(tmp_path / "flights.jsonl", rows.requests(flights))
    rows.write(tmp_path / "weather.jsonl", rows.weather(snapshot.tables["weather"]))
    rows.write(tmp_path / "plane.jsonl", rows.planes(snapshot.tables["plane"]))
    tables = [f"--input {tmp_path}/flights.jsonl --output {tmp_path}/out.parquet"]
    tables += [f"--facts {name}={tmp_path}/{name}.jsonl" for name in ("weather", "plane")]
    how = "--features --time-column asked_at --entity-id-column entity_id --processes 1"
    assert main(f"batch --bundle {built.archive} {' '.join(tables)} {how}".split()) == 0
    unpack(built.archive, tmp_path / "bundle")
    workflow = load_workflow(tmp_path / "bundle", parse((tmp_path / "bundle" / "bundle.yaml").read_bytes()))
    columns = ", ".join(f'"features.{name}"' for name in workflow.feature_names)
    table = duckdb.sql(f"SELECT {columns} FROM '{tmp_path}/out.parquet' ORDER BY row").fetchall()
    told = np.array([[np.nan if value is None else value for value in row] for row in table], np.float32)
    no_fallbacks = Snapshot(snapshot.tables, {"weather": {}, "plane": {}})
    np.testing.assert_array_equal(told, feature_rows(workflow, flights, no_fallbacks))
