"""Puts what pydantic found wrong into one line for a condition's message."""

from pydantic import ValidationError

_SHOWN = 3
_PLAIN = {
    "extra_forbidden": "no such field",
    "model_type": "must be an object",
    "dict_type": "must be an object",
    "list_type": "must be a list",
}
"""Instead of pydantic's words, which are those of Python."""
_LONGEST = 256  # characters of a field's path: callers make up names


def describe(error: ValidationError, root: str = "") -> str:
    """The first three problems, each with its field's path (below `root`) and without its value: it might be secret."""
    problems = error.errors(include_url=False, include_input=False, include_context=False)
    lines = []
    for problem in problems[:_SHOWN]:
        path = (root, *problem["loc"]) if root else problem["loc"]
        text = _PLAIN.get(problem["type"], problem["msg"].removeprefix("Value error, "))
        lines.append(": ".join(filter(None, (".".join(map(str, path))[:_LONGEST], text))))
    more = len(problems) - _SHOWN
    return "; ".join(lines) + (f" (and {more} more)" if more > 0 else "")
