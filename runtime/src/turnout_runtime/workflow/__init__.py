"""What the author of a model writes against: a `Workflow` of stages, the `Context` of a request, a `Decision`."""

from turnout_runtime.workflow.base import Workflow
from turnout_runtime.workflow.context import Context, Request
from turnout_runtime.workflow.decision import Decision
from turnout_runtime.workflow.features import Features
from turnout_runtime.workflow.functions import stages
from turnout_runtime.workflow.threads import inline, threaded

__all__ = ["Context", "Decision", "Features", "Request", "Workflow", "inline", "stages", "threaded"]
