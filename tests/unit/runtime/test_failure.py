import json
import logging
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from turnout_runtime.failure import redact, termination_message, write_termination_log
from turnout_runtime.telemetry.logs import JsonFormatter
from turnout_runtime.telemetry.throttle import Throttle


@given(st.text(max_size=100), st.integers(1, 200))
@settings(max_examples=50, deadline=None)
def test_the_message_fits_and_starts_as_it_was(text: str, times: int) -> None:
    text = text.replace("@", "")
    encoded = termination_message("BundleInvalid", text * times)
    document = json.loads(encoded)
    assert len(encoded) <= 4096
    assert document["reason"] == "BundleInvalid"
    kept = document["message"].removesuffix("…") if len(document["message"]) < len(text * times) else text * times
    assert (text * times).startswith(kept)
    assert len(encoded) > 3000 or document["message"] == text * times


@pytest.mark.parametrize("url", ["redis://:s3cret@host/0", "http://user:s3cret@host", "rediss://s3cret@host: refused"])
def test_credentials_do_not_get_out(url: str) -> None:
    assert "s3cret" not in redact(url)
    assert "host" in redact(url)
    assert b"s3cret" not in termination_message("ConfigInvalid", url)


def test_it_is_written_where_the_kubelet_looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TURNOUT_TERMINATION_LOG", str(tmp_path / "log"))
    write_termination_log("ConfigInvalid", "no")
    assert json.loads((tmp_path / "log").read_bytes()) == {"reason": "ConfigInvalid", "message": "no"}
    monkeypatch.setenv("TURNOUT_TERMINATION_LOG", str(tmp_path / "no" / "log"))
    write_termination_log("ConfigInvalid", "no")


def test_log_lines_are_json_with_their_extras() -> None:
    try:
        raise ValueError("because")
    except ValueError:
        record = logging.getLogger("turnout.x").makeRecord(
            "turnout.x", logging.ERROR, "f", 1, "it %s", ("broke",), sys.exc_info(), extra={"path": Path("/x")}
        )
    line = json.loads(JsonFormatter().format(record))
    assert (line["level"], line["logger"], line["message"], line["path"]) == ("error", "turnout.x", "it broke", "/x")
    assert "ValueError: because" in line["exception"]
    assert "args" not in line


def test_a_throttle_lets_one_per_period_through() -> None:
    now = 0.0
    throttle = Throttle(1.0, lambda: now)
    assert [throttle.allows("a"), throttle.allows("a"), throttle.allows("b")] == [True, False, True]
    now = 1.0
    assert throttle.allows("a")
