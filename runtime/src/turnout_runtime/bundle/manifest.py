"""bundle.yaml, parsed once and checked against the files beside it. Pure."""

import re
from collections.abc import Collection
from typing import Annotated, Literal

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from turnout_runtime.bundle.paths import check_path
from turnout_runtime.errors import BundleInvalid
from turnout_runtime.validation import describe

FILE = "bundle.yaml"
_MAX_TEXT = 256 * 1024
_ENTRY_POINT = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")

Text = Annotated[str, Field(min_length=1, max_length=253)]


def _inside(path: str) -> str:
    try:
        return check_path(path)
    except BundleInvalid as error:
        raise ValueError(str(error)) from error


def _entry_point(text: str) -> str:
    if not _ENTRY_POINT.fullmatch(text):
        raise ValueError("must be module:Class, such as workflow:FlightDelay")
    return text


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelFile(_Part):
    """One trained artifact: where it lies in the bundle, and what reads it."""

    path: Annotated[Text, AfterValidator(_inside)]
    format: Literal["onnx"]


class Manifest(_Part):
    """What a bundle says about itself."""

    apiVersion: Literal["bundle.turnout.dev/v1alpha1"]
    name: Text
    version: Text
    workflow: Annotated[Text, AfterValidator(_entry_point)]
    models: dict[Text, ModelFile] = Field(default_factory=dict, max_length=32)
    card: dict[Text, Annotated[str, Field(max_length=4096)]] = Field(default_factory=dict, max_length=64)

    @property
    def module(self) -> str:
        """Module that holds the workflow."""
        return self.workflow.partition(":")[0]

    @property
    def attribute(self) -> str:
        """The workflow class's name in its module."""
        return self.workflow.partition(":")[2]


def parse(text: bytes) -> Manifest:
    """Read bundle.yaml; raises `BundleInvalid` that names the field."""
    if len(text) > _MAX_TEXT:
        raise BundleInvalid(f"{FILE} is larger than {_MAX_TEXT} bytes")
    try:
        # BaseLoader builds strings, lists and maps only: `version: 1` and a card's dates stay the text they are.
        content = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BundleInvalid(f"{FILE} is not YAML: {' '.join(str(error).split())}") from error
    try:
        return Manifest.model_validate(content)
    except ValidationError as error:
        raise BundleInvalid(f"{FILE}: {describe(error)}") from error


def check_files(manifest: Manifest, files: Collection[str]) -> None:
    """Raise `BundleInvalid` when a file that the manifest names is not in the bundle."""
    stem = manifest.module.replace(".", "/")
    if f"{stem}.py" not in files and f"{stem}/__init__.py" not in files:
        raise BundleInvalid(f"{FILE}: workflow: no {stem}.py in the bundle")
    for name, model in manifest.models.items():
        if model.path not in files:
            raise BundleInvalid(f"{FILE}: models.{name}.path: no file {model.path!r} in the bundle")
