import json

import pytest
from benchmarks.report import Row, at_most, finish, info, percentile, ratio, table


@pytest.mark.parametrize(("percent", "wanted"), [(50, 2.0), (99, 4.0), (100, 4.0), (1, 1.0)])
def test_percentiles_are_values_that_were_measured(percent, wanted):
    assert percentile([4.0, 1.0, 3.0, 2.0], percent) == wanted


def test_nothing_has_no_percentile():
    assert percentile([], 99) is None


def test_a_limit_is_met_up_to_and_including_itself():
    assert at_most("p99", 300, 300).ok
    assert at_most("p99", 300.1, 300).ok is False


def test_what_was_not_measured_is_missed():
    assert at_most("p99", None, 300).ok is False
    assert info("p50", None).ok is None


def test_a_ratio_needs_both_sides():
    assert ratio(3.0, 2.0) == 1.5
    assert ratio(None, 2.0) is None
    assert ratio(1.0, 0.0) is None


def test_the_exit_code_and_the_last_line_tell_of_a_miss(tmp_path, capsys):
    rows = [at_most("a", 1, 2), at_most("b", 3, 2), info("c", 4)]
    assert finish("control", rows, {"seconds": 1}, tmp_path) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "1 passed, 1 failed"
    assert finish("control", rows[:1], {}, tmp_path) == 0


def test_the_rows_and_the_details_have_a_file_each(tmp_path):
    finish("control", [at_most("a", 1.5, 2, "s")], {"seconds": 7}, tmp_path)
    rows = json.loads((tmp_path / "control.json").read_text())
    assert rows == [{"metric": "a", "value": 1.5, "unit": "s", "target": "≤ 2", "ok": True}]
    details = json.loads((tmp_path / "control-details.json").read_text())
    assert details["seconds"] == 7


def test_columns_are_aligned_and_misses_marked():
    first, second = table([Row("short", 1.0), Row("much longer", None, "ms", "≤ 5", False)]).splitlines()
    assert first == "short        1"
    assert second == "much longer  -  ms  ≤ 5  MISSED"
