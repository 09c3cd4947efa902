"""Where and how much of the prediction log is kept."""

from typing import Annotated

from pydantic import Field

from turnout_operator.api.common import Quantity, between
from turnout_operator.api.meta import SpecModel
from turnout_operator.api.pods import SecretName


class LogRotation(SpecModel):
    """Bounds of the prediction log on its volume: at most size times keep."""

    size: Annotated[Quantity, between("1Ki", "1Ti")] = Quantity("64Mi")
    """Bytes of one file, a quantity from 1Ki to 1Ti; then the next file is begun. Default: 64Mi."""
    keep: Annotated[int, Field(ge=1, le=1024)] = 8
    """Files kept, 1 to 1024; the oldest is deleted first. Default: 8."""


class ClaimRef(SpecModel):
    """A PersistentVolumeClaim in the object's namespace."""

    claim_name: SecretName
    """Name of the claim."""


class PredictionLog(SpecModel):
    """The log with one JSON line for every prediction."""

    rotate: LogRotation = LogRotation()
    """Bounds of the log. Default: 8 files of 64Mi."""
    persistent_volume_claim: ClaimRef | None = None
    """The claim that holds the log. Default: a volume of the pod's own, of size times keep + 1, gone with the pod."""
