"""Progress bars: on a terminal only, and only for work that takes long enough to wonder."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from turnout_runtime.bundle.progress import Tell

_DELAY = 0.5  # seconds before a bar appears


@contextmanager
def bar(what: str, total: int | None, unit: str) -> Iterator[Tell]:
    """A `Progress` that shows a bar on stderr, and takes it away when the work is done."""
    if not sys.stderr.isatty():
        yield lambda amount: None
        return
    from tqdm import tqdm

    sizes = unit == "B"
    with tqdm(
        desc=what, total=total, unit=unit, unit_scale=sizes, unit_divisor=1024, leave=False, delay=_DELAY
    ) as shown:
        yield shown.update
