"""From a verified bundle to a workflow that is ready to answer, and has proved it."""

from turnout_runtime.loading.workflow import LoadedWorkflow, load_workflow

__all__ = ["LoadedWorkflow", "load_workflow"]
