"""How long a model's runs take, and so whether they may block the event loop."""

SLOW = 0.002  # seconds: longer runs delay every other request, and a thread hop of 0.1 ms is cheap beside them
QUICK = 0.001  # well below, so that a model at the border does not go to and fro
_WEIGHT = 1 / 8


class Pace:
    """The running mean of a model's run time in seconds, and `slow`: that runs belong in a thread."""

    __slots__ = ("mean", "slow")

    def __init__(self) -> None:
        self.mean = 0.0
        self.slow = False

    def seed(self, seconds: float) -> None:
        """Begin with what warm-up measured."""
        self.mean = seconds
        self.slow = seconds > SLOW

    def observe(self, seconds: float) -> None:
        """Take in one run. One that was stalled by the machine counts for little, several in a row in full."""
        mean = self.mean
        self.mean = mean = mean + _WEIGHT * (min(seconds, 2 * mean + SLOW) - mean)
        if mean > SLOW:
            self.slow = True
        elif mean < QUICK:
            self.slow = False
