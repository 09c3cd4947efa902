"""A thread of a model's own, for runs that are too long for the event loop."""

import threading
from collections.abc import Callable
from queue import SimpleQueue


class Worker:
    """Runs jobs one after the other. A daemon: a model that hangs must not keep the process from ending."""

    def __init__(self, name: str) -> None:
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        threading.Thread(target=self._work, name=f"model-{name}", daemon=True).start()

    def submit(self, job: Callable[[], None]) -> None:
        """Run the job when those before it are done; it must not raise."""
        self._jobs.put(job)

    def close(self) -> None:
        """End the thread after the jobs that wait."""
        self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
