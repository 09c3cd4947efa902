"""A real Kafka: one process that is broker and controller (KRaft), which can be killed and comes back on its ports."""

import signal
import socket
import subprocess
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from confluent_kafka import Consumer, KafkaError, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from tests.cluster.pki import Identity, write
from tests.peers.daemons import START_SECONDS, free_port
from tests.peers.kafka.jars import jars

USER, PASSWORD = "shipper", "correct-horse"
OPEN, SASL, TLS = "OPEN", "SASL", "TLS"  # listeners: for everybody, with a password, and with both that and TLS
_JVM = ("-Xms64m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
_QUIET = ("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",)
_SCRAM = ("SCRAM-SHA-256", "SCRAM-SHA-512")
_JAAS = "org.apache.kafka.common.security"


@dataclass(frozen=True)
class Seen:
    """A message as a consumer reads it."""

    partition: int
    key: str | None
    value: bytes
    headers: Mapping[str, str]


class Broker:
    """The broker; its data and its ports stay its own over restarts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ports = {name: free_port() for name in (OPEN, SASL, TLS, "CONTROLLER")}
        self._process: subprocess.Popen[bytes] | None = None
        write(folder / "pki", [Identity("broker", "broker", names=["127.0.0.1"])])
        (folder / "server.properties").write_text(self._properties())
        users = [f"{mechanism}=[name={USER},password={PASSWORD}]" for mechanism in _SCRAM]
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
        admin = AdminClient({"bootstrap.servers": self.address()})
        admin.create_topics([NewTopic(topic, partitions, 1, config=config)])[topic].result(30)
        return topic

    def read(self, topic: str) -> list[Seen]:
        """All messages of the topic, each partition in its order."""
        consumer = Consumer({"bootstrap.servers": self.address(), "group.id": "tests", "enable.partition.eof": True})
        try:
            partitions = list(consumer.list_topics(topic, 30).topics[topic].partitions)
            consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
            return list(_all(consumer, len(partitions)))
        finally:
            consumer.close()

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._ports[OPEN])) == 0

    def _java(self, program: str) -> list[str]:
        return ["java", *_JVM, *_QUIET, "-cp", f"{jars()}/*", program]

    def _properties(self) -> str:
        pem = self.folder / "pki" / "broker.pem"
        pem.write_text(pem.with_suffix(".key").read_text() + pem.with_suffix(".crt").read_text())
        listeners = {name: f"{name}://127.0.0.1:{port}" for name, port in self._ports.items()}
        secured = (SASL.lower(), TLS.lower())
        lines = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@127.0.0.1:{self._ports['CONTROLLER']}",
            "controller.listener.names": "CONTROLLER",
            "listeners": ",".join(listeners.values()),
            "advertised.listeners": ",".join(listeners[name] for name in (OPEN, SASL, TLS)),
            "listener.security.protocol.map": "OPEN:PLAINTEXT,SASL:SASL_PLAINTEXT,TLS:SASL_SSL,CONTROLLER:PLAINTEXT",
            "inter.broker.listener.name": OPEN,
            "sasl.enabled.mechanisms": ",".join(("PLAIN", *_SCRAM)),
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(pem),
            "log.dirs": str(self.folder / "data"),
            "auto.create.topics.enable": "false",
            "offsets.topic.replication.factor": "1",
            "broker.session.timeout.ms": "1000",  # after a kill the controller waits so long for the one of before
            "broker.heartbeat.interval.ms": "200",
            "log.cleaner.dedupe.buffer.size": "2097152",
            "num.network.threads": "2",
            "num.io.threads": "2",
        }
        for listener in secured:
            begin = f"listener.name.{listener}"
            lines[f"{begin}.plain.sasl.jaas.config"] = (
                f'{_JAAS}.plain.PlainLoginModule required user_{USER}="{PASSWORD}";'
            )
            for mechanism in _SCRAM:
                lines[f"{begin}.{mechanism.lower()}.sasl.jaas.config"] = f"{_JAAS}.scram.ScramLoginModule required;"
        return "".join(f"{name}={value}\n" for name, value in lines.items())


def _all(consumer: Consumer, partitions: int) -> Iterator[Seen]:
    ended: set[int | None] = set()
    while len(ended) < partitions:
        message = consumer.poll(30)
        assert message is not None, "the broker says nothing more"
        error = message.error()
        if error is not None:
            assert error.code() == KafkaError._PARTITION_EOF, error
            ended.add(message.partition())
            continue
        key, value = message.key(), message.value()
        assert isinstance(value, bytes)
        headers = {name: bytes(said).decode() for name, said in message.headers() or []}
        yield Seen(message.partition() or 0, bytes(key).decode() if key else None, value, headers)


@contextmanager
def broker(folder: Path) -> Iterator[Broker]:
    made = Broker(folder)
    try:
        made.start()
        yield made
    finally:
        made.kill()
