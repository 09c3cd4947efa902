"""What the tests do with a namespace, as a user would: kubectl only."""

import json
import time
from collections.abc import Callable
from typing import Any, TypeVar

from demo.shell import CommandFailed, kubectl

Object = dict[str, Any]


class Namespace:
    """A namespace of a test's own."""

    def __init__(self, name: str) -> None:
        self.name = name

    def run(self, *arguments: str, stdin: bytes | None = None) -> str:
        """kubectl in this namespace; raises `CommandFailed`."""
        return kubectl("-n", self.name, *arguments, stdin=stdin)

    def apply(self, *objects: Object) -> str:
        """kubectl apply of the objects."""
        listing = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        return self.run("apply", "-f", "-", stdin=json.dumps(listing).encode())

    def refuses(self, *objects: Object) -> str:
        """kubectl apply that must fail; returns what the user reads."""
        try:
            self.apply(*objects)
        except CommandFailed as error:
            return str(error)
        raise AssertionError("the API server accepted it")

    def get(self, kind: str, name: str) -> Object:
        """One object."""
        found: Object = json.loads(self.run("get", kind, name, "-o", "json"))
        return found

    def list(self, kind: str, selector: str = "") -> list[Object]:
        """All objects of a kind."""
        items: list[Object] = json.loads(self.run("get", kind, "-l", selector, "-o", "json"))["items"]
        return items

    def patch(self, kind: str, name: str, change: Object) -> None:
        """A merge patch."""
        self.run("patch", kind, name, "--type", "merge", "-p", json.dumps(change))

    def wait_ready(self, kind: str, name: str, seconds: int = 60) -> Object:
        """`kubectl wait` for Ready; returns the object."""
        self.run("wait", f"{kind}/{name}", "--for=condition=Ready", f"--timeout={seconds}s")
        return self.get(kind, name)

    def condition(self, kind: str, name: str, type_: str) -> Object:
        """One condition; an empty one while there is none."""
        conditions = self.get(kind, name).get("status", {}).get("conditions", [])
        return next((c for c in conditions if c["type"] == type_), {})

    def wait_condition(self, kind: str, name: str, type_: str, reason: str, seconds: float = 60) -> Object:
        """Wait until a condition has a reason; returns it."""
        return eventually(lambda: _with_reason(self.condition(kind, name, type_), reason), seconds)


def _with_reason(condition: Object, reason: str) -> Object:
    assert condition.get("reason") == reason, condition
    return condition


T = TypeVar("T")


def eventually(check: Callable[[], T], seconds: float = 30, every: float = 0.2) -> T:
    """Call `check` until it raises no AssertionError; its last one is raised when time is over."""
    end = time.monotonic() + seconds
    while True:
        try:
            return check()
        except AssertionError:
            if time.monotonic() > end:
                raise
            time.sleep(every)
