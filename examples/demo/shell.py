"""Runs the tools a user would type: make, helm, kubectl; with the local cluster's kubeconfig and PATH."""

import os
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
CLUSTER = ROOT / ".cluster"
SHOWN_LINES = 15


class CommandFailed(Exception):
    """A command's exit code was not 0; the message has the command and the end of its output."""

    def __init__(self, command: tuple[str, ...], output: str) -> None:
        tail = "\n".join(output.strip().splitlines()[-SHOWN_LINES:])
        super().__init__(f"$ {' '.join(command)}\n{tail}")


def run(*command: str, stdin: bytes | None = None) -> str:
    """Standard output of a command; raises `CommandFailed`."""
    done = subprocess.run(command, input=stdin, capture_output=True, cwd=ROOT, env=environment())
    if done.returncode:
        raise CommandFailed(command, (done.stdout + done.stderr).decode(errors="replace"))
    return done.stdout.decode()


def follow(on_line: Callable[[str], None], *command: str) -> None:
    """Run a command that takes a while and pass on each line it prints; raises `CommandFailed`."""
    lines = []
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=ROOT, env=_inherited(), text=True
    ) as process:
        for line in process.stdout or ():
            lines.append(line)
            on_line(line.rstrip())
    if process.returncode:
        raise CommandFailed(command, "".join(lines))


def kubectl(*arguments: str, stdin: bytes | None = None) -> str:
    """Output of kubectl on the local cluster; raises `CommandFailed`."""
    return run("kubectl", *arguments, stdin=stdin)


@cache
def environment() -> dict[str, str]:
    """This process's environment with what `.cluster/env` exports; it exists once the cluster is up."""
    script = f". {CLUSTER / 'env'} && env -0"
    done = subprocess.run(["bash", "-ec", script], capture_output=True, env=_inherited())
    if done.returncode:
        raise CommandFailed(("bash", "-ec", script), done.stderr.decode(errors="replace"))
    pairs = (pair.partition("=") for pair in done.stdout.decode().split("\0") if pair)
    return {name: value for name, _, value in pairs}


def _inherited() -> dict[str, str]:
    # What a parent make passes on would make an inner make share its job slots.
    return {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
