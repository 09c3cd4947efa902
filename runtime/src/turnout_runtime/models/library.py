"""The libraries of the formats: optional, and imported only for a bundle that needs them."""

import importlib
from types import ModuleType

from turnout_runtime.errors import BundleInvalid


def imported(module: str, kind: str, extra: str) -> ModuleType:
    """The module that reads models of a kind; raises `BundleInvalid` naming the extra where it is not installed."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise BundleInvalid(
            f"the bundle has {kind} model, but this image has no {package}: add turnout-runtime[{extra}]"
        ) from error
