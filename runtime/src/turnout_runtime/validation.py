"""Puts what pydantic found wrong into one line for a condition's message."""

from pydantic import ValidationError

_SHOWN = 3


def describe(error: ValidationError) -> str:
    """The first three problems, each with its field's path and without its value, which might be a secret."""
    problems = error.errors(include_url=False, include_input=False, include_context=False)
    lines = []
    for problem in problems[:_SHOWN]:
        field = ".".join(map(str, problem["loc"])) or "document"
        lines.append(f"{field}: {problem['msg'].removeprefix('Value error, ')}")
    more = len(problems) - _SHOWN
    return "; ".join(lines) + (f" (and {more} more)" if more > 0 else "")
