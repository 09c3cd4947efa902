import platform
from importlib import metadata

import pytest
from tests.unit.runtime.builders import MANIFEST

from turnout_runtime.bundle.manifest import parse
from turnout_runtime.bundle.requirements import check_requirements
from turnout_runtime.errors import BundleInvalid, RequirementsNotMet

ORJSON = metadata.version("orjson")


def _check(text: str) -> None:
    check_requirements(parse(MANIFEST + text.encode()))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "python: '>=3.11'",
        "requirements: [orjson, 'numpy>=2,<99']",
        "requirements: ['no-such-package; python_version < \"3\"']",
        "requirements: ['redis[hiredis]>=5']",
        "requirements: ['orjson @ https://example.org/orjson.whl']",
    ],
)
def test_what_is_installed_is_enough(text: str) -> None:
    _check(text)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("python: '<3'", f"needs python <3 (this is {platform.python_version()}): name an image"),
        ("requirements: [orjson<1]", f"needs orjson<1 (installed is {ORJSON}): name an image"),
        ("requirements: ['no-such-package>=1']", "no-such-package>=1 (not installed)"),
        ("requirements: ['orjson<1', no-such]", f"orjson<1 (installed is {ORJSON}); no-such (not installed)"),
        ("requirements: ['redis[ocsp]']", "(not installed)"),
    ],
)
def test_what_is_missing_is_told_by_name(text: str, told: str) -> None:
    with pytest.raises(RequirementsNotMet) as caught:
        _check(text)
    assert told in str(caught.value)


def test_a_marker_that_means_nothing() -> None:
    with pytest.raises(BundleInvalid, match="requirements: numpy"):
        _check("requirements: ['numpy; os_name ~= \"x\"']")
