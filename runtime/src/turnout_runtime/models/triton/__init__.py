"""Models that run on a Triton beside the runtime or elsewhere, asked over gRPC."""

from turnout_runtime.models.triton.load import load

__all__ = ["load"]
