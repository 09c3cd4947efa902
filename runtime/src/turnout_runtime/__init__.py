"""Turnout's runtime: serves one bundle's workflow and logs every prediction.

What authors and callers of workflows need is found here; it is imported when it is asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from turnout_runtime.embedded import Embedded, load
    from turnout_runtime.workflow import Context, Decision, Features, Request, Workflow, inline, stages, threaded

_HOMES = {"Embedded": "embedded", "load": "embedded"}

__all__ = [
    "Context",
    "Decision",
    "Embedded",
    "Features",
    "Request",
    "Workflow",
    "inline",
    "load",
    "stages",
    "threaded",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES.get(name, 'workflow')}"), name)
