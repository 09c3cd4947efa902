"""Whether this Python has what a bundle needs; nothing is installed here: that is the image's business."""

import platform
from importlib import metadata

from packaging.markers import UndefinedComparison, UndefinedEnvironmentName
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from turnout_runtime.bundle.manifest import FILE, Manifest
from turnout_runtime.errors import BundleInvalid, RequirementsNotMet

_REMEDY = "name an image that has them in spec.runtime.image, or change bundle.yaml"


def check_requirements(manifest: Manifest) -> None:
    """Raise `RequirementsNotMet` that names each requirement that is not met, and what is there instead."""
    found = [problem for text in manifest.requirements for problem in _problems(Requirement(text))]
    python = platform.python_version()
    if manifest.python and not SpecifierSet(manifest.python).contains(python, prereleases=True):
        found.insert(0, f"python {manifest.python} (this is {python})")
    if found:
        raise RequirementsNotMet(f"the bundle needs {'; '.join(found)}: {_REMEDY}")


def _problems(requirement: Requirement, extra: str = "") -> list[str]:
    """What is missing of a requirement, and of those that its extras bring."""
    if not _applies(requirement, extra):
        return []
    wanted = f"{requirement.name}{requirement.specifier}"
    try:
        distribution = metadata.distribution(requirement.name)
    except metadata.PackageNotFoundError:
        return [f"{wanted} (not installed)"]
    if not requirement.specifier.contains(distribution.version, prereleases=True):
        return [f"{wanted} (installed is {distribution.version})"]
    return [
        problem
        for name in sorted(requirement.extras)
        for text in distribution.requires or ()
        if "extra" in text and not _applies(Requirement(text), "")
        for problem in _problems(Requirement(text), name)
    ]


def _applies(requirement: Requirement, extra: str) -> bool:
    if requirement.marker is None:
        return True
    try:
        return requirement.marker.evaluate({"extra": extra})
    except (UndefinedComparison, UndefinedEnvironmentName) as error:
        raise BundleInvalid(f"{FILE}: requirements: {requirement}: {error}") from error
