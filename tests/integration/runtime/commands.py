"""`turnout` for tests that type many commands: forked from a process that has imported it, so each takes milliseconds.

`turnout` in `Commands.folder` hands its arguments, folder, environment and standard streams to that process. All else
is as with the real one: its own pid, signals, exit status.
"""

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

CLIENT = """#!{python} -IS
import json, os, signal, socket, sys

server = socket.socket(socket.AF_UNIX)
server.connect({address!r})
job = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
socket.send_fds(server, [len(job).to_bytes(4, "big")], [0, 1, 2])
server.sendall(job)
pid = int.from_bytes(server.recv(4), "big")
for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, lambda number, _: os.kill(pid, number))
sys.exit(int.from_bytes(server.recv(4), "big"))
"""


class Commands:
    """The process that forks; what it forked ends with its caller, or with this object."""

    def __init__(self) -> None:
        self._scratch = tempfile.TemporaryDirectory(prefix="turnout-commands-")
        self.folder = Path(self._scratch.name)
        address = str(self.folder / "socket")
        (self.folder / "turnout").write_text(CLIENT.format(python=sys.executable, address=address))
        (self.folder / "turnout").chmod(0o755)
        command = [sys.executable, "-m", "tests.integration.runtime.commands", address]
        self._server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
        assert self._server.stdout is not None
        self._server.stdout.readline()

    @property
    def path(self) -> str:
        """PATH, with this `turnout` first, and then this Python's own programs."""
        return f"{self.folder}:{Path(sys.executable).parent}:{os.environ['PATH']}"

    def close(self) -> None:
        """End it and what it forked."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._server.pid, signal.SIGKILL)
        self._server.communicate()
        self._scratch.cleanup()


def _serve(address: str) -> None:
    server = socket.socket(socket.AF_UNIX)
    server.bind(address)
    server.listen(64)
    print("ready", flush=True)
    while True:
        readable, _, _ = select.select([server, sys.stdin], [], [])
        if sys.stdin in readable:  # whoever started this is gone
            os.killpg(0, signal.SIGKILL)
        caller, _ = server.accept()
        if os.fork() == 0:
            server.close()
            _watch(caller)
        caller.close()


def _watch(caller: socket.socket) -> None:
    """Start the command, end it with its caller, and tell its exit status; never returns."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    head, streams, _, _ = socket.recv_fds(caller, 4, 3)
    job = json.loads(_exactly(caller, int.from_bytes(head, "big")))
    pid = os.fork()
    if pid == 0:
        caller.close()
        _become(job, streams)
    for stream in streams:
        os.close(stream)
    caller.sendall(pid.to_bytes(4, "big"))
    ended = os.pidfd_open(pid)
    if ended not in select.select([ended, caller], [], [])[0]:
        os.kill(pid, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    with contextlib.suppress(OSError):
        caller.sendall((status if status >= 0 else 128 - status).to_bytes(4, "big"))
    os._exit(0)


def _become(job: Any, streams: list[int]) -> None:
    """Be `turnout`; never returns."""
    from turnout_runtime.cli import main

    arguments, folder, environment = job
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    status: Any = 1
    try:
        status = main(arguments)
    except SystemExit as end:
        status = end.code
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status if isinstance(status, int) else 0)


def _exactly(caller: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        found += caller.recv(size - len(found))
    return found


if __name__ == "__main__":
    import duckdb  # noqa: F401  # what the commands shall not have to import

    import turnout_runtime.__main__
    import turnout_runtime.cli.bundle.opened
    import turnout_runtime.embedded
    import turnout_runtime.offline.run
    import turnout_runtime.workflow.schema  # noqa: F401

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    _serve(sys.argv[1])
