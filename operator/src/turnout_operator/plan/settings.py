"""What the operator was started with and the plans depend on."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PlanSettings:
    """Defaults for revisions that name nothing else; pinned into a revision when it is made."""

    runtime_image: str
    drain_seconds: float = 5.0
