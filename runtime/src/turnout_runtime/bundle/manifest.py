"""bundle.yaml, parsed once and checked against the files beside it. Pure."""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

import yaml
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from turnout_runtime.bundle.paths import check_path
from turnout_runtime.errors import BundleInvalid, DigestMismatch
from turnout_runtime.validation import describe

FILE = "bundle.yaml"
_MAX_TEXT = 256 * 1024
_ENTRY_POINT = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")

Text = Annotated[str, Field(min_length=1, max_length=253)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


def _inside(path: str) -> str:
    try:
        return check_path(path)
    except BundleInvalid as error:
        raise ValueError(str(error)) from error


def _entry_point(text: str) -> str:
    if not _ENTRY_POINT.fullmatch(text):
        raise ValueError("must be module:Class, such as workflow:FlightDelay")
    return text


def _specifier(text: str) -> str:
    try:
        SpecifierSet(text)
    except InvalidSpecifier as error:
        raise ValueError("must be a version specifier, such as >=3.11") from error
    return text


def _requirement(text: str) -> str:
    try:
        Requirement(text)
    except InvalidRequirement as error:
        raise ValueError(f"{text!r} is not a requirement such as numpy>=2") from error
    return text


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelFile(_Part):
    """One trained artifact: where it lies in the bundle, and what reads it.

    `triton` models lie in a Triton's repository instead, under `model`. `output` chooses the score among several
    outputs of an ONNX or Triton model. `trustedTypes` are types that a skops file may hold beside scikit-learn's own,
    such as a transformer in the bundle's code.
    """

    format: Literal["onnx", "skops", "xgboost", "lightgbm", "pickle", "triton"]
    path: Annotated[Text, AfterValidator(_inside)] | None = None
    sha256: Sha256 | None = None
    model: Text | None = None
    version: Text | None = None
    output: Text | None = None
    trustedTypes: list[Text] = Field(default_factory=list, max_length=64)

    @model_validator(mode="after")
    def _place(self) -> "ModelFile":
        if (self.path is None) != (self.format == "triton"):
            raise ValueError("path is needed, unless the format is triton: that has the name of a model instead")
        return self


class Artifact(_Part):
    """A file that the workflow reads itself, such as a vocabulary: `self.artifacts[name]` is its path."""

    path: Annotated[Text, AfterValidator(_inside)]
    sha256: Sha256 | None = None
    format: Text | None = None


class Schemas(_Part):
    """JSON Schemas of the request's context and of the decision, as the code had them when the bundle was built."""

    request: Annotated[Text, AfterValidator(_inside)] | None = None
    decision: Annotated[Text, AfterValidator(_inside)] | None = None


class Manifest(_Part):
    """What a bundle says about itself."""

    apiVersion: Literal["bundle.turnout.dev/v1alpha1"]
    name: Text
    version: Text
    workflow: Annotated[Text, AfterValidator(_entry_point)]
    python: Annotated[Text, AfterValidator(_specifier)] | None = None
    requirements: list[Annotated[Text, AfterValidator(_requirement)]] = Field(default_factory=list, max_length=256)
    models: dict[Text, ModelFile] = Field(default_factory=dict, max_length=32)
    artifacts: dict[Text, Artifact] = Field(default_factory=dict, max_length=256)
    schemas: Schemas = Schemas()
    golden: Annotated[Text, AfterValidator(_inside)] | None = None
    warmup: Annotated[Text, AfterValidator(_inside)] | None = None
    reference: Annotated[Text, AfterValidator(_inside)] | None = None
    allowPickle: bool = False
    card: dict[Text, Annotated[str, Field(max_length=4096)]] = Field(default_factory=dict, max_length=64)

    @model_validator(mode="after")
    def _pickles(self) -> "Manifest":
        risky = [name for name, model in self.models.items() if model.format == "pickle"]
        if risky and not self.allowPickle:
            raise ValueError(
                f"models.{risky[0]}.format: a pickle runs any code when it is read: use skops, onnx, xgboost or"
                " lightgbm, or say allowPickle: true"
            )
        return self

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
    except (yaml.YAMLError, ValueError) as error:
        raise BundleInvalid(f"{FILE} is not YAML: {' '.join(str(error).split())}") from error
    except RecursionError:
        raise BundleInvalid(f"{FILE} is nested too deeply") from None
    try:
        return Manifest.model_validate(content)
    except ValidationError as error:
        raise BundleInvalid(f"{FILE}: {describe(error)}") from error


def check_files(manifest: Manifest, hashes: Mapping[str, str]) -> None:
    """Compare the manifest with the bundle's files, given as sha256 hex by path.

    Raises `BundleInvalid` when a file that it names is not there, `DigestMismatch` when a file is another one.
    """
    stem = manifest.module.replace(".", "/")
    if f"{stem}.py" not in hashes and f"{stem}/__init__.py" not in hashes:
        raise BundleInvalid(f"{FILE}: workflow: no {stem}.py in the bundle")
    for field, path, sha256 in _named(manifest):
        if path not in hashes:
            raise BundleInvalid(f"{FILE}: {field}: no file {path!r} in the bundle")
        if sha256 is not None and hashes[path] != sha256:
            raise DigestMismatch(
                f"{FILE}: {field}: {path} has the sha256 {hashes[path]}, not {sha256}: build the bundle again, or"
                " restore the file that was meant"
            )


def _named(manifest: Manifest) -> Iterator[tuple[str, str, str | None]]:
    """Field, path and sha256 of every file that the manifest names."""
    for group, entries in (("models", manifest.models), ("artifacts", manifest.artifacts)):
        for name, entry in entries.items():
            if entry.path is not None:
                yield f"{group}.{name}.path", entry.path, entry.sha256
    schemas = manifest.schemas
    others = {"schemas.request": schemas.request, "schemas.decision": schemas.decision}
    others |= {"golden": manifest.golden, "warmup": manifest.warmup, "reference": manifest.reference}
    for field, path in others.items():
        if path is not None:
            yield field, path, None
