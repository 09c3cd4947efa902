"""Every word that the runtime has for a failed start is one that the operator knows and puts in a condition."""

import pytest

from turnout_operator.api.conditions import Reason
from turnout_operator.plan.failures import BUNDLE_REASONS, RUNTIME_REASONS
from turnout_runtime import errors

STARTS = [
    cls.__name__
    for cls in vars(errors).values()
    if isinstance(cls, type) and issubclass(cls, errors.StartError) and cls is not errors.StartError
]


@pytest.mark.parametrize("name", sorted(set(STARTS) - {"WorkerFailed"}))  # it passes on what the process itself said
def test_a_failed_start_keeps_its_reason(name):
    assert name in RUNTIME_REASONS
    assert name in {str(reason) for reason in Reason}


def test_what_is_wrong_with_a_bundle_is_the_bundles_condition():
    assert {str(reason) for reason in BUNDLE_REASONS} == {
        "BundleNotFound", "DigestMismatch", "BundleInvalid", "RequirementsNotMet", "CardMismatch", "SchemaMismatch",
        "GoldenExamplesFailed",
    }  # fmt: skip
