import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from flight_delay import cache, manifests
from flight_delay.bundles import GOLDEN, NAMES, Bundle, Data, build
from flight_delay.export import onnx_bytes
from flight_delay.train import fit, late_rates, to_json

from turnout_runtime.bundle.archive import digest_archive, unpack
from turnout_runtime.bundle.manifest import parse
from turnout_runtime.bundle.source import Bundle as runtime_bundle
from turnout_runtime.cli.bundle.opened import loaded
from turnout_runtime.models import onnx


@pytest.fixture(scope="module", params=NAMES)
def bundle(request: pytest.FixtureRequest, small_data: Data, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return build(request.param, small_data, tmp_path_factory.mktemp("first"))


def test_building_again_gives_the_same_bytes(bundle: Bundle, small_data: Data, tmp_path: Path) -> None:
    again = build(bundle.name, small_data, tmp_path)
    assert again.digest == bundle.digest
    assert again.archive.read_bytes() == bundle.archive.read_bytes()


def test_the_runtime_accepts_the_bundle(bundle: Bundle, tmp_path: Path) -> None:
    unpack(bundle.archive, tmp_path)
    manifest = parse((tmp_path / "bundle.yaml").read_bytes())
    held = loaded(runtime_bundle(tmp_path, manifest, bundle.digest))
    assert held.golden == GOLDEN
    assert onnx.load("delay", tmp_path / "model.onnx").width == len(held.workflow.feature_names)
    assert manifest.card["replayed_on"].endswith(f"AUC {bundle.replay.auc:.4f}, Brier {bundle.replay.brier:.4f}")
    assert manifest.models["delay"].sha256
    assert (tmp_path / "schemas" / "request.json").is_file()
    assert held.reference is not None
    assert list(held.reference) == ["score", *(f"features.{name}" for name in held.workflow.feature_names)]
    assert (tmp_path / "reference.json").stat().st_size < 20 * 1024


def test_the_digest_is_that_of_the_packed_files(bundle: Bundle) -> None:
    assert digest_archive(bundle.archive) == bundle.digest


def test_the_bundle_fits_a_config_map(bundle: Bundle) -> None:
    assert bundle.archive.stat().st_size < 100 * 1024 < manifests.CONFIG_MAP_LIMIT


def test_onnx_scores_as_the_trained_model_does(tmp_path: Path) -> None:
    random = np.random.default_rng(7)
    rows = random.normal(size=(4000, 5)).astype(np.float32)
    rows[random.random(rows.shape) < 0.1] = np.nan
    model = fit(rows, np.nan_to_num(rows[:, 0] * rows[:, 1]) > 0.2)
    (tmp_path / "model.onnx").write_bytes(onnx_bytes(model, 5))
    scores = onnx.load("m", tmp_path / "model.onnx").run(list(rows))
    np.testing.assert_allclose(scores, model.predict_proba(rows)[:, 1], atol=1e-6)


def test_a_second_build_comes_from_the_cache(small_data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    loads: list[int] = []

    def load_once() -> Data:
        loads.append(1)
        return small_data

    monkeypatch.setattr(cache, "full_data", load_once)
    first, second = cache.cached_bundles(), cache.cached_bundles()
    assert [asdict(made) for made in first] == [asdict(made) for made in second]
    assert len(loads) == 1


def test_an_interrupted_build_is_not_taken_for_a_whole_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = tmp_path / "turnout" / "bundles" / cache.source_hash()
    folder.mkdir(parents=True)
    (folder / "champion.tar.gz").write_bytes(b"half")
    monkeypatch.setattr(cache, "full_data", lambda: (_ for _ in ()).throw(LookupError("trains")))
    with pytest.raises(LookupError, match="trains"):
        cache.cached_bundles()


def test_rates_are_pulled_to_the_mean_where_flights_are_few(small_data: Data) -> None:
    rates = json.loads(to_json(late_rates(small_data.training)))
    assert all(0.5 * rates["overall"] < rate < 2 * rates["overall"] for rate in rates["dest"].values())
