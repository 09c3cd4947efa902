"""Integer shares that sum to the whole."""

from collections.abc import Sequence

from turnout_operator.plan.routes import TOTAL_WEIGHT


def fill(weights: Sequence[int]) -> list[int]:
    """Scale weights to sum to `TOTAL_WEIGHT` by the largest remainder method; unchanged when they already do."""
    total = sum(weights)
    shares = [weight * TOTAL_WEIGHT // total for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda i: (-(weights[i] * TOTAL_WEIGHT % total), i))
    for index in by_remainder[: TOTAL_WEIGHT - sum(shares)]:
        shares[index] += 1
    return shares
