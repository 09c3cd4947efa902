"""Real servers of facts, each a process of its own on loopback, which can be stopped, killed and started again."""

import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from tests.integration.runtime.process import free_port

PASSWORD = "s3cret"
_SERVICE = Path(__file__).with_name("fact_service.py")


class Server:
    """One server on one port, also across restarts."""

    def __init__(self) -> None:
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    def command_line(self) -> list[str]:
        raise NotImplementedError

    def answers(self) -> bool:
        raise NotImplementedError

    def start(self) -> None:
        self.process = subprocess.Popen(
            self.command_line(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 20
        while not self._answers():
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def _answers(self) -> bool:
        try:
            return self.answers()
        except OSError:
            return False

    def signal(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def freeze(self) -> None:
        self.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.signal(signal.SIGCONT)

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()


class RedisServer(Server):
    """A redis-server without persistence."""

    def command_line(self) -> list[str]:
        program = shutil.which("redis-server")
        if program is None:
            pytest.fail("these tests need a real Redis: apt-get install redis-server")
        options = f"--port {self.port} --bind 127.0.0.1 --appendonly no --requirepass {PASSWORD}"
        return [program, *options.split(), "--save", "", "--enable-debug-command", "yes"]

    @property
    def url(self) -> str:
        return f"redis://:{PASSWORD}@127.0.0.1:{self.port}/0"

    def answers(self) -> bool:
        return self.command("PING") == b"+PONG\r\n"

    def command(self, *words: str | bytes) -> bytes:
        """The reply's first line."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            stream = connection.makefile("rwb")
            for parts in (("AUTH", PASSWORD), words):
                encoded = [part.encode() if isinstance(part, str) else part for part in parts]
                stream.write(f"*{len(parts)}\r\n".encode())
                stream.writelines(b"$%d\r\n%s\r\n" % (len(part), part) for part in encoded)
                stream.flush()
                reply = stream.readline()
            return reply


class FactService(Server):
    """See fact_service.py."""

    def command_line(self) -> list[str]:
        return [sys.executable, str(_SERVICE), str(self.port)]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/facts/{{key}}"

    def answers(self) -> bool:
        self.mode("well")
        return True

    def mode(self, name: str) -> None:
        """How it behaves from now on."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/mode/{name}", timeout=5):
            pass
