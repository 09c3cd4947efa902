from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout_runtime.models.tables import reader

NUMBERS = st.floats(width=64) | st.integers(-(2**60), 2**60) | st.booleans()
ROWS = st.lists(st.lists(NUMBERS, min_size=3, max_size=3), min_size=1)


@given(ROWS, st.sampled_from(["float32", "float64"]))
def test_lists_become_what_numpy_makes_of_them(rows: Any, dtype: str) -> None:
    with np.errstate(over="ignore"):
        expected, table = np.array(rows, dtype=dtype), reader(3, dtype)(rows)
    assert (table.shape, table.dtype) == (expected.shape, expected.dtype)
    assert np.array_equal(table, expected, equal_nan=True)
    assert table.flags.writeable


@pytest.mark.parametrize("width", [2, None])
@pytest.mark.parametrize(
    "rows",
    [
        [[1.0, 2.0], (3.0, 4.0)],
        [(1.0, 2.0), [3.0, 4.0]],
        [np.array([1.0, 2.0], np.float32), [3.0, 4.0]],
        [[1.0, 2.0], np.array([3.0, 4.0], np.float32)],
        [["1", 2.0], [np.float32(3), np.int64(4)]],
    ],
)
def test_rows_of_all_kinds_are_read(rows: Any, width: int | None) -> None:
    assert reader(width, "float32")(rows).tolist() == [[1, 2], [3, 4]]


def test_nothing_is_not_a_number() -> None:
    assert np.isnan(reader(2, "float32")([[None, 1.0]])).tolist() == [[True, False]]  # type: ignore[list-item]


@pytest.mark.parametrize("rows", [[[1.0, 2.0], [3.0]], [["a", 1.0]], [[{}, 1.0]]])
def test_what_is_no_row_of_numbers_fails(rows: Any) -> None:
    read = reader(2, "float32")
    with pytest.raises((ValueError, TypeError)):
        read(rows)


@pytest.mark.parametrize("rows", [[[1.0]], [[[1.0], [2.0]]], [[1.0, 2.0, 3.0]]])
def test_rows_of_another_shape_keep_it_for_the_model_to_refuse(rows: Any) -> None:
    assert reader(2, "float32")(rows).shape == np.array(rows).shape
