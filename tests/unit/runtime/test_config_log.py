from typing import Any

import pytest
from pydantic import ValidationError

from turnout_runtime.config import HashedFields, PredictionLog
from turnout_runtime.errors import ConfigInvalid

LEAST = {"directory": "/var/log/turnout", "maxFileBytes": 1000, "maxFiles": 4}


def _log(**fields: Any) -> PredictionLog:
    return PredictionLog.model_validate({**LEAST, **fields})


def test_what_is_left_out_has_its_default() -> None:
    log = _log()
    assert (log.max_age_seconds, log.flush_seconds, log.sync, log.when_full) == (60.0, 0.2, False, "dropOldest")
    assert (log.enabled, log.sample, log.redact, log.hash, log.headers, log.shipped) == (True, 1.0, [], None, [], False)


def test_everything_can_be_said() -> None:
    log = _log(
        maxAgeSeconds=5, flushSeconds=0, sync=True, whenFull="dropNewest", enabled=False, sample=0.0001, shipped=True,
        redact=["context.passenger.name", "features.age", "facts.plane"], headers=["X-Region"],
        hash={"fields": ["entity_id", "caller.sub", "facts.plane.value.owner", "details.x"], "keyEnv": "LOG_KEY"},
    )  # fmt: skip
    assert log.headers == ["x-region"]
    assert log.hash is not None
    assert log.hash.key({"LOG_KEY": "0123456789abcdef\n"}) == b"0123456789abcdef"


@pytest.mark.parametrize(
    "fields",
    [
        {"sample": 0}, {"sample": 1.1}, {"flushSeconds": -1}, {"maxAgeSeconds": 0}, {"whenFull": "wait"},
        {"redact": ["prediction_id"]}, {"redact": ["context..x"]}, {"redact": [""]}, {"headers": ["a b"]},
        {"hash": {"fields": [], "keyEnv": "K"}}, {"hash": {"fields": ["features.age"], "keyEnv": "K"}},
        {"hash": {"fields": ["facts.plane"], "keyEnv": "K"}}, {"hash": {"fields": ["caller"], "keyEnv": "K"}},
        {"hash": {"fields": ["entity_id"], "keyEnv": "1K"}},
    ],
)  # fmt: skip
def test_nonsense_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        _log(**fields)


@pytest.mark.parametrize("environment", [{}, {"K": ""}, {"K": "short secret"}])
def test_a_key_that_is_missing_or_weak_is_told_without_it(environment: dict[str, str]) -> None:
    hidden = HashedFields.model_validate({"fields": ["entity_id"], "keyEnv": "K"})
    with pytest.raises(ConfigInvalid, match="keyEnv") as raised:
        hidden.key(environment)
    assert "secret" not in str(raised.value).replace("check its Secret", "")
