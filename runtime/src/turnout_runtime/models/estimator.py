"""Scores of what speaks scikit-learn's language: its estimators and pipelines, and other libraries' in its dress."""

import importlib
import logging
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from turnout_runtime.errors import BundleInvalid
from turnout_runtime.models.model import Loaded
from turnout_runtime.models.outcome import Runner
from turnout_runtime.workflow.features import Row

_log = logging.getLogger("turnout.models")


class _OneThread:
    """Keeps OpenMP, which scikit-learn's trees use, to one thread a run: the pod's CPU request counts cores.

    A pool on cores that others use made a run of one row 20 to 50 times slower. OpenMP keeps the number for each
    thread that asks, so it is told once in each; programs that embed the runtime keep theirs.
    """

    def __init__(self) -> None:
        self._told = threading.local()
        try:
            from threadpoolctl import ThreadpoolController
        except ImportError:  # it comes with scikit-learn; a pickle may do without
            self._libraries = None
        else:
            self._libraries = ThreadpoolController().select(user_api="openmp")

    def __call__(self) -> None:
        if not hasattr(self._told, "done"):
            self._told.done = True
            if self._libraries is not None:
                self._libraries.limit(limits=1)


@contextmanager
def told_warnings(name: str) -> Iterator[None]:
    """What a library warns of while it reads a model, such as another version's file, goes to the log."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        yield
    for text in dict.fromkeys(str(warning.message) for warning in told):
        _log.warning("a model was read with a warning", extra={"model": name, "warning": text})


def loaded(name: str, estimator: Any, about: Mapping[str, str]) -> Loaded:
    """The positive class's probability where it has one, else its decision function, else its prediction.

    Raises `BundleInvalid` for what has none of these, and for classifiers of more than two classes.
    """
    score = _score(f"models.{name}", estimator)
    _run_alone(estimator)
    names = getattr(estimator, "feature_names_in_", None)
    names = None if names is None else tuple(map(str, names))
    width = getattr(estimator, "n_features_in_", None)
    run = _runner(score, width, names if names is not None and _wants_frames(score, len(names)) else None)
    return Loaded(run, width, None, names, {**about, "class": _class(estimator)})


def _score(field: str, estimator: Any) -> Callable[[Any], Any]:
    classes = getattr(estimator, "classes_", None)
    if classes is not None and len(classes) > 2:
        raise BundleInvalid(f"{field}: it tells {len(classes)} classes apart; a score needs two")
    for method in ("predict_proba", "decision_function", "predict"):
        if hasattr(estimator, method):
            return getattr(estimator, method)  # type: ignore[no-any-return]
    raise BundleInvalid(f"{field}: a {_class(estimator)} has no predict")


def _run_alone(estimator: Any) -> None:
    """No pool of workers for a few rows."""
    if hasattr(estimator, "get_params") and hasattr(estimator, "set_params"):
        jobs = [key for key in estimator.get_params() if key.rpartition("__")[2] == "n_jobs"]
        estimator.set_params(**dict.fromkeys(jobs, 1))


def _wants_frames(score: Callable[[Any], Any], width: int) -> bool:
    """Whether it picks columns by name, so that plain arrays will not do."""
    import numpy as np

    # Trained on a data frame it warns of every array; the order of the names is checked once, at warm-up.
    warnings.filterwarnings("ignore", message="X does not have valid feature names", category=UserWarning)
    try:
        score(np.zeros((1, width)))
    except Exception:  # a ValueError, an AttributeError or a TypeError, by library and version
        return True
    return False


def _runner(score: Callable[[Any], Any], width: int | None, columns: Sequence[str] | None) -> Runner:
    import numpy as np

    from turnout_runtime.models.arrays import scores
    from turnout_runtime.models.tables import reader

    one_thread, read = _OneThread(), reader(width, np.float64)

    def run(rows: Sequence[Row]) -> list[float]:
        one_thread()
        return scores("score", np.asarray(score(read(rows))))

    if columns is None:
        return run
    try:
        pandas = importlib.import_module("pandas")
    except ImportError as error:
        raise BundleInvalid("the model picks its columns by name, which needs pandas in this image") from error

    def run_frame(rows: Sequence[Row]) -> list[float]:
        one_thread()
        frame = pandas.DataFrame(read(rows), columns=list(columns))
        return scores("score", np.asarray(score(frame)))

    return run_frame


def _class(estimator: Any) -> str:
    kind = type(estimator)
    return f"{kind.__module__}.{kind.__qualname__}"
