"""Bodies of feedback in one step."""

from turnout_runtime.feedback.parse import Outcome, parse, rows_of


def parse_body(body: bytes) -> list[Outcome]:
    """All outcomes of a body; raises `InvalidRequest` or `InvalidFeedback`."""
    return [outcome for found in parse(rows_of(body)) for outcome in found]
