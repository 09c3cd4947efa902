"""The broker's server.properties: three doors, and who may come in. Pure but for the key that it puts together."""

from collections.abc import Mapping
from pathlib import Path

USER, PASSWORD = "shipper", "correct-horse"
OPEN, SASL, TLS = "OPEN", "SASL", "TLS"  # listeners: for everybody, with a password, and with both that and TLS
CONTROLLER = "CONTROLLER"
SCRAM = ("SCRAM-SHA-256", "SCRAM-SHA-512")
_SECURITY = "org.apache.kafka.common.security"
_ALONE = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": CONTROLLER,
    "inter.broker.listener.name": OPEN,
    "listener.security.protocol.map": "OPEN:PLAINTEXT,SASL:SASL_PLAINTEXT,TLS:SASL_SSL,CONTROLLER:PLAINTEXT",
    "auto.create.topics.enable": "false",
    "offsets.topic.replication.factor": "1",
}
_SOON = {
    "broker.session.timeout.ms": "1000",  # after a kill the controller waits so long for the one of before
    "broker.heartbeat.interval.ms": "200",
}
_SMALL = {
    "log.cleaner.dedupe.buffer.size": "2097152",
    "num.network.threads": "2",
    "num.io.threads": "2",
}
_DOORS = {
    "sasl.enabled.mechanisms": ",".join(("PLAIN", *SCRAM)),
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": "User:ANONYMOUS",
    "allow.everyone.if.no.acl.found": "true",
    "ssl.keystore.type": "PEM",
}


def properties(folder: Path, ports: Mapping[str, int]) -> str:
    """The file's text; `folder` has the broker's certificate, and will have its data."""
    pem = folder / "pki" / "broker.pem"
    pem.write_text(pem.with_suffix(".key").read_text() + pem.with_suffix(".crt").read_text())
    listeners = {name: f"{name}://127.0.0.1:{port}" for name, port in ports.items()}
    lines = {
        **_ALONE,
        **_SOON,
        **_SMALL,
        **_DOORS,
        "controller.quorum.voters": f"1@127.0.0.1:{ports[CONTROLLER]}",
        "listeners": ",".join(listeners.values()),
        "advertised.listeners": ",".join(listeners[name] for name in (OPEN, SASL, TLS)),
        "ssl.keystore.location": str(pem),
        "log.dirs": str(folder / "data"),
    }
    for listener in (SASL, TLS):
        begin = f"listener.name.{listener.lower()}"
        plain = f"{_SECURITY}.plain.PlainLoginModule required user_{USER}={PASSWORD};"
        lines[f"{begin}.plain.sasl.jaas.config"] = plain
        for mechanism in SCRAM:
            modules = f"{_SECURITY}.scram.ScramLoginModule required;"
            lines[f"{begin}.{mechanism.lower()}.sasl.jaas.config"] = modules
    return "".join(f"{name}={value}\n" for name, value in lines.items())
