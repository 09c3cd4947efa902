"""Where the bundle comes from."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from turnout_runtime.bundle.digest import PATTERN
from turnout_runtime.config.part import Part

_MOUNTED = ("configmap://", "pvc://", "image://", "file://")


class BundleSource(Part):
    """Where the bundle comes from; `path` is its mounted file or folder, None for what the runtime downloads.

    Credentials of a downloaded bundle are in the environment under their libraries' own names (AWS_ACCESS_KEY_ID, …).
    """

    uri: Annotated[str, Field(pattern=r"^(configmap|pvc|image|file|https?|s3|gs|az|oci)://.+")]
    digest: Annotated[str, Field(pattern=f"^{PATTERN.pattern}$")]
    path: Path | None = None

    @model_validator(mode="after")
    def _path_or_url(self) -> "BundleSource":
        if (self.path is not None) != self.uri.startswith(_MOUNTED):
            raise ValueError("path is needed for a mounted bundle, and only for one")
        return self
