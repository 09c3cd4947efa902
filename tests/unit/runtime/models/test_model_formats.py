"""Small models, really trained, in each format: the score is the library's own prediction."""

import pickle
import sys
import threading
import types
from pathlib import Path
from typing import Any

import joblib
import lightgbm
import numpy as np
import pandas
import pytest
import skops.io
import xgboost
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import LinearSVC
from threadpoolctl import ThreadpoolController

from turnout_runtime.bundle.manifest import parse
from turnout_runtime.errors import BundleInvalid, WorkflowSetupFailed
from turnout_runtime.models.load import load_models, warm
from turnout_runtime.models.model import Model

NAMES = ("a", "b", "c", "d")
RANDOM = np.random.default_rng(7)
X = RANDOM.normal(size=(300, 4))
Y = (X[:, 0] + 0.3 * RANDOM.normal(size=300) > 0).astype(int)
ROWS = X[:9]
TREE_TYPES = "[sklearn.tree._tree.Tree]"


def _load(folder: Path, kind: str, path: str, more: str = "") -> Model:
    manifest = f"""
apiVersion: bundle.turnout.dev/v1alpha1
name: made
version: "1"
workflow: workflow:Made
allowPickle: {"true" if kind == "pickle" else "false"}
models: {{m: {{format: {kind}, path: {path}{more}}}}}
"""
    return load_models(folder, parse(manifest.encode()))["m"]


def _scores(model: Model) -> list[float]:
    return list(model.run([row.tolist() for row in ROWS]))


@pytest.mark.parametrize(
    ("estimator", "method"),
    [
        (make_pipeline(StandardScaler(), LogisticRegression()), "predict_proba"),
        (GradientBoostingClassifier(n_estimators=5), "predict_proba"),
        (RandomForestClassifier(n_estimators=5, n_jobs=2), "predict_proba"),
        (LinearSVC(), "decision_function"),
        (LinearRegression(), "predict"),
    ],
)
def test_a_scikit_learn_model(tmp_path: Path, estimator: Any, method: str) -> None:
    estimator.fit(X, Y)
    skops.io.dump(estimator, tmp_path / "m.skops")
    model = _load(tmp_path, "skops", "m.skops", f", trustedTypes: {TREE_TYPES}")
    expected = getattr(estimator, method)(ROWS)
    assert _scores(model) == (expected[:, 1] if expected.ndim == 2 else expected).tolist()
    assert model.width == 4
    assert model.about["runtime"].startswith("scikit-learn ")
    warm(model, 4, 8, NAMES)


def test_scikit_learns_thread_pool_is_left_alone(tmp_path: Path) -> None:
    estimator = HistGradientBoostingClassifier(max_iter=5).fit(X, Y)
    skops.io.dump(estimator, tmp_path / "m.skops")
    trusted = skops.io.get_untrusted_types(file=tmp_path / "m.skops")
    model = _load(tmp_path, "skops", "m.skops", f", trustedTypes: [{', '.join(trusted)}]")
    openmp = ThreadpoolController().select(user_api="openmp")
    threads = []

    def serve() -> None:
        assert _scores(model) == estimator.predict_proba(ROWS)[:, 1].tolist()
        threads.extend(library["num_threads"] for library in openmp.info())

    here = [library["num_threads"] for library in openmp.info()]
    server = threading.Thread(target=serve)
    server.start()
    server.join()
    assert set(threads) == {1}
    assert [library["num_threads"] for library in openmp.info()] == here


def test_a_pipeline_that_picks_its_columns_by_name(tmp_path: Path) -> None:
    frame = pandas.DataFrame(X, columns=list(NAMES))
    columns = ColumnTransformer([("scaled", StandardScaler(), ["a", "c"])], remainder="passthrough")
    estimator = make_pipeline(columns, LogisticRegression()).fit(frame, Y)
    skops.io.dump(estimator, tmp_path / "m.skops")
    model = _load(tmp_path, "skops", "m.skops")
    assert _scores(model) == estimator.predict_proba(frame[:9])[:, 1].tolist()
    assert model.feature_names == NAMES


def test_a_model_trained_on_a_frame_does_not_warn_of_rows(tmp_path: Path) -> None:
    estimator = LogisticRegression().fit(pandas.DataFrame(X, columns=list(NAMES)), Y)
    joblib.dump(estimator, tmp_path / "m.joblib")
    model = _load(tmp_path, "pickle", "m.joblib")
    expected = estimator.predict_proba(pandas.DataFrame(ROWS, columns=list(NAMES)))[:, 1]
    assert _scores(model) == pytest.approx(expected.tolist())  # a frame's columns add up in another order


def test_features_in_another_order_than_in_training_stop_the_start(tmp_path: Path) -> None:
    booster = xgboost.train({}, xgboost.DMatrix(X, Y, feature_names=list(NAMES)), 2)
    booster.save_model(tmp_path / "m.ubj")
    model = _load(tmp_path, "xgboost", "m.ubj")
    warm(model, 4, 8, NAMES)
    warm(model, 4, 8, ("w", "x", "y", "z"))  # other names altogether are the author's business
    with pytest.raises(WorkflowSetupFailed, match="in another order than feature_names: a, b, c, d"):
        warm(model, 4, 8, ("b", "a", "c", "d"))


class Doubler(FunctionTransformer):
    """A type of the bundle's own."""


def test_types_that_nobody_trusts_are_named_and_not_made(tmp_path: Path) -> None:
    made = types.ModuleType("bundle_types")
    made.Doubler = Doubler  # type: ignore[attr-defined]
    Doubler.__module__ = "bundle_types"
    sys.modules["bundle_types"] = made
    estimator = make_pipeline(Doubler(), LogisticRegression()).fit(X, Y)
    skops.io.dump(estimator, tmp_path / "m.skops")
    told = r"models\.m: m\.skops holds types that are not trusted: bundle_types\.Doubler;.*models\.m\.trustedTypes"
    with pytest.raises(BundleInvalid, match=told):
        _load(tmp_path, "skops", "m.skops")
    model = _load(tmp_path, "skops", "m.skops", ", trustedTypes: [bundle_types.Doubler]")
    assert _scores(model) == estimator.predict_proba(ROWS)[:, 1].tolist()


def test_a_classifier_of_three_is_no_score(tmp_path: Path) -> None:
    skops.io.dump(LogisticRegression().fit(X, Y + (X[:, 1] > 0)), tmp_path / "m.skops")
    with pytest.raises(BundleInvalid, match=r"models\.m: it tells 3 classes apart; a score needs two"):
        _load(tmp_path, "skops", "m.skops")


def test_what_cannot_predict_is_refused(tmp_path: Path) -> None:
    skops.io.dump(StandardScaler().fit(X), tmp_path / "m.skops")
    with pytest.raises(BundleInvalid, match=r"models\.m: a sklearn.*StandardScaler has no predict"):
        _load(tmp_path, "skops", "m.skops")


@pytest.mark.parametrize("dump", [pickle.dump, joblib.dump])
def test_a_pickle_where_it_is_allowed(tmp_path: Path, dump: Any) -> None:
    estimator = LogisticRegression().fit(X, Y)
    with (tmp_path / "m.pkl").open("wb") as file:
        dump(estimator, file)
    assert _scores(_load(tmp_path, "pickle", "m.pkl")) == estimator.predict_proba(ROWS)[:, 1].tolist()


def test_another_librarys_estimator_in_a_pickle(tmp_path: Path) -> None:
    estimator = xgboost.XGBClassifier(n_estimators=5, n_jobs=2).fit(X, Y)
    joblib.dump(estimator, tmp_path / "m.pkl")
    assert _scores(_load(tmp_path, "pickle", "m.pkl")) == pytest.approx(estimator.predict_proba(ROWS)[:, 1].tolist())


@pytest.mark.parametrize("suffix", ["json", "ubj"])
@pytest.mark.parametrize("booster", ["gbtree", "gblinear", "dart"])
@pytest.mark.filterwarnings("ignore:.*gblinear.*:UserWarning", "ignore:.*deprecat.*:FutureWarning")
def test_an_xgboost_model(tmp_path: Path, suffix: str, booster: str) -> None:
    trained = xgboost.train({"objective": "binary:logistic", "booster": booster}, xgboost.DMatrix(X, Y), 5)
    trained.save_model(tmp_path / f"m.{suffix}")
    model = _load(tmp_path, "xgboost", f"m.{suffix}")
    assert _scores(model) == trained.predict(xgboost.DMatrix(ROWS)).tolist()
    assert model.width == 4


def test_xgboost_stops_at_the_best_iteration_as_its_classifier_does(tmp_path: Path) -> None:
    trained = xgboost.XGBClassifier(n_estimators=60, early_stopping_rounds=3, learning_rate=1.0)
    trained.fit(X[:150], Y[:150], eval_set=[(X[150:], Y[150:])], verbose=False)
    assert trained.best_iteration + 1 < trained.get_booster().num_boosted_rounds()
    trained.save_model(tmp_path / "m.ubj")
    assert _scores(_load(tmp_path, "xgboost", "m.ubj")) == trained.predict_proba(ROWS)[:, 1].tolist()


def test_a_missing_value_goes_to_the_model(tmp_path: Path) -> None:
    holes = np.where(RANDOM.random(X.shape) < 0.2, np.nan, X)
    trained = lightgbm.train({"objective": "binary", "verbose": -1}, lightgbm.Dataset(holes, Y), 5)
    trained.save_model(tmp_path / "m.txt")
    model = _load(tmp_path, "lightgbm", "m.txt")
    assert list(model.run(holes[:9])) == trained.predict(holes[:9]).tolist()


def test_a_lightgbm_model(tmp_path: Path) -> None:
    data = lightgbm.Dataset(X, Y, feature_name=list(NAMES))
    trained = lightgbm.train({"objective": "binary", "verbose": -1}, data, 10)
    trained.save_model(tmp_path / "m.txt")
    model = _load(tmp_path, "lightgbm", "m.txt")
    assert _scores(model) == trained.predict(ROWS).tolist()
    assert (model.width, model.feature_names) == (4, NAMES)


@pytest.mark.parametrize(
    ("kind", "path", "told"),
    [
        ("skops", "m.skops", r"m\.skops is not a readable skops file"),
        ("xgboost", "m.ubj", r"m\.ubj is not a readable XGBoost model"),
        ("xgboost", "m.json", r"m\.json is not a readable XGBoost model"),
        ("xgboost", "m.bin", r"models\.m\.path: m\.bin must end in \.json or \.ubj"),
        ("lightgbm", "m.txt", r"m\.txt is not a readable LightGBM model"),
        ("pickle", "m.pkl", r"m\.pkl cannot be unpickled"),
        ("onnx", "m.onnx", r"m\.onnx is not a readable ONNX model"),
    ],
)
def test_files_that_hold_something_else(tmp_path: Path, kind: str, path: str, told: str) -> None:
    (tmp_path / path).write_bytes(b"not a model")
    with pytest.raises(BundleInvalid, match=told):
        _load(tmp_path, kind, path)


def test_a_model_says_what_it_took_to_load_and_warm(tmp_path: Path) -> None:
    trained = RandomForestClassifier(n_estimators=200).fit(RANDOM.normal(size=(2000, 4)), RANDOM.integers(0, 2, 2000))
    skops.io.dump(trained, tmp_path / "m.skops")
    del trained
    model = _load(tmp_path, "skops", "m.skops", f", trustedTypes: {TREE_TYPES}")
    warm(model, 4, 64, NAMES)
    assert model.load_seconds > 0
    assert model.warm_seconds > 0
    assert model.memory.resident > 1_000_000
    assert model.threaded  # 200 trees take scikit-learn longer than the event loop may be blocked
    assert model.stats.batches == 0
