"""Lines that JSON has no place for, and where what workflows log ends up."""

import json
import logging
from typing import Any

import pytest

from turnout_runtime.plain import plain
from turnout_runtime.telemetry.logs import JsonFormatter
from turnout_runtime.validation import describe


def _line(message: str, **extra: Any) -> Any:
    record = logging.makeLogRecord({"msg": message, "levelname": "INFO", "name": "n", **extra})
    return json.loads(JsonFormatter().format(record))


@pytest.mark.parametrize(
    ("value", "written"),
    [(2**70, str(2**70)), ({1: {2}}, {"1": [2]}), ("\ud800", "?"), ({"x"}, "{'x'}"), (b"raw", "b'raw'")],
)
def test_odd_values_cost_no_line(value: Any, written: Any) -> None:
    line = _line("told", odd=value)
    assert (line["message"], line["odd"]) == ("told", written)


def test_an_odd_message_is_told_all_the_same() -> None:
    assert _line("a \ud800 b")["message"] == "a ? b"


def test_what_a_line_says_of_itself_is_not_overridden() -> None:
    line = _line("told", level="mine", time=7, logger="x", carrier="AA")
    assert (line["level"], line["logger"], line["carrier"], list(line)[:2]) == ("info", "n", "AA", ["time", "level"])
    assert line["time"] != 7


class Rude:
    def __str__(self) -> str:
        raise ZeroDivisionError


def test_whatever_it_is_becomes_plain() -> None:
    import numpy as np

    endless: list[Any] = []
    endless.append(endless)
    odd = {"rude": Rude(), 3: np.array([1, 2]), "float": np.float32(0.5), "big": 10**5000, "tuple": (True, None, 0.5)}
    made = plain(odd)
    assert json.loads(json.dumps(made)) == {
        "rude": "<Rude: ZeroDivisionError>",
        "3": [1, 2],
        "float": 0.5,
        "big": "<int: ValueError>",
        "tuple": [True, None, 0.5],
    }
    assert json.dumps(plain(endless))


def test_names_that_callers_make_up_are_cut() -> None:
    from pydantic import BaseModel, ConfigDict, ValidationError

    class Closed(BaseModel):
        model_config = ConfigDict(extra="forbid")

    with pytest.raises(ValidationError) as caught:
        Closed.model_validate({"n" * 100_000: 1})
    assert len(describe(caught.value)) < 400
