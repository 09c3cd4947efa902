"""A real Kafka: one process that is broker and controller (KRaft), which can be killed and comes back on its ports."""

import signal
import socket
import subprocess
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from confluent_kafka import admin
from tests.cluster.pki import Identity, write
from tests.peers.daemons import START_SECONDS, free_port
from tests.peers.kafka.jars import jars
from tests.peers.kafka.reading import Seen, read
from tests.peers.kafka.server import CONTROLLER, OPEN, PASSWORD, SASL, SCRAM, TLS, USER, properties

_JVM = ("-Xms64m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
_QUIET = ("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",)


class Broker:
    """The broker; its data and its ports stay its own over restarts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ports = {name: free_port() for name in (OPEN, SASL, TLS, CONTROLLER)}
        self._process: subprocess.Popen[bytes] | None = None
        write(folder / "pki", [Identity("broker", "broker", names=["127.0.0.1"])])
        (folder / "server.properties").write_text(properties(folder, self._ports))
        users = [f"{mechanism}=[name={USER},password={PASSWORD}]" for mechanism in SCRAM]
        cluster = urlsafe_b64encode(uuid4().bytes).decode().rstrip("=")
        tool = [*self._java("kafka.tools.StorageTool"), "format", "--cluster-id", cluster]
        tool += [word for user in users for word in ("--add-scram", user)]
        subprocess.run([*tool, "--config", self._file], check=True, stdout=subprocess.DEVNULL)

    @property
    def ca(self) -> Path:
        return self.folder / "pki" / "ca.crt"

    @property
    def _file(self) -> str:
        return str(self.folder / "server.properties")

    def address(self, listener: str = OPEN) -> str:
        return f"127.0.0.1:{self._ports[listener]}"

    def start(self) -> None:
        """Return when it listens."""
        with (self.folder / "kafka.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self._java("kafka.Kafka"), self._file], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._listens():
            assert self._process.poll() is None, self.log()
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.05)

    def ensure_running(self) -> None:
        if self._process is None:
            self.start()

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        """As a crash does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def log(self) -> str:
        return (self.folder / "kafka.log").read_text()

    def create(self, topic: str, partitions: int = 3, **settings: str) -> str:
        """Make a topic, whose settings are written with _ for . here; its name."""
        config = {name.replace("_", "."): value for name, value in settings.items()}
        client = admin.AdminClient({"bootstrap.servers": self.address()})
        client.create_topics([admin.NewTopic(topic, partitions, 1, config=config)])[topic].result(30)
        return topic

    def allow(self, user: str, topic: str) -> None:
        """Let the user write to the topic, and nobody who is not allowed to."""
        where = (admin.ResourceType.TOPIC, topic, admin.ResourcePatternType.LITERAL, f"User:{user}", "*")
        allowed = [
            admin.AclBinding(*where, action, admin.AclPermissionType.ALLOW)
            for action in (admin.AclOperation.WRITE, admin.AclOperation.DESCRIBE)
        ]
        client = admin.AdminClient({"bootstrap.servers": self.address()})
        for made in client.create_acls(allowed).values():
            made.result(30)

    def read(self, topic: str) -> list[Seen]:
        """All messages of the topic, each partition in its order."""
        return read(self.address(), topic)

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._ports[OPEN])) == 0

    def _java(self, program: str) -> list[str]:
        return ["java", *_JVM, *_QUIET, "-cp", f"{jars()}/*", program]


@contextmanager
def broker(folder: Path) -> Iterator[Broker]:
    made = Broker(folder)
    try:
        made.start()
        yield made
    finally:
        made.kill()
