"""Debian's docker-registry: a real OCI registry, open, behind a password, or behind a token service."""

import base64
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import oras.provider
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID
from tests.cluster.prerequisites import ensure
from tests.peers.daemons import daemon, free_port, serving

USER, PASSWORD = "reader", "correct-horse"
_HTPASSWD = f"{USER}:$2b$05$sOq5AIN.MbYhtDtprR5Kj.xiHASYKNSNLif7pyWCaP5H1h7jFj3RO\n"


@dataclass(frozen=True)
class OciRegistry:
    port: int

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def push(self, name: str, *files: Path, login: bool = False) -> str:
        """Push files as `oras push` does; the artifact's URI."""
        client = oras.provider.Registry(self.host, insecure=True, auth_backend="basic" if login else "token")
        if login:
            client.auth.set_basic_auth(USER, PASSWORD)
        client.push(f"{self.host}/{name}", files=list(map(str, files)), disable_path_validation=True, quiet=True)
        return f"oci://{self.host}/{name}"


@contextmanager
def registry(folder: Path, auth: dict[str, Any] | None = None) -> Iterator[OciRegistry]:
    """A registry over `folder`; `auth` as its configuration has it."""
    ensure({"docker-registry": "docker-registry"})
    port = free_port()
    config = {
        "version": 0.1,
        "log": {"level": "error"},
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}, "delete": {"enabled": True}},
        "http": {"addr": f"127.0.0.1:{port}", "secret": "tests"},
        **({"auth": auth} if auth else {}),
    }
    path = folder / f"registry-{port}.yml"
    path.write_text(yaml.safe_dump(config))
    with daemon(["docker-registry", "serve", str(path)], port, folder / "registry.log"):
        yield OciRegistry(port)


@contextmanager
def locked_registry(folder: Path) -> Iterator[OciRegistry]:
    """One that wants a password."""
    (folder / "htpasswd").write_text(_HTPASSWD)
    with registry(folder, {"htpasswd": {"realm": "tests", "path": str(folder / "htpasswd")}}) as made:
        yield made


class Tokens(BaseHTTPRequestHandler):
    """A token service as Docker Hub's or GitHub's: it gives a signed token to whoever shows the password.

    Each token may push too: oras keeps the first one that it got, which was for looking.
    """

    key: ClassVar[rsa.RSAPrivateKey]
    certificate: ClassVar[x509.Certificate]

    def do_GET(self) -> None:
        wanted = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if self.headers.get("Authorization") != f"Basic {wanted}":
            self.send_response(401)
            self.end_headers()
            return
        query = parse_qs(urlsplit(self.path).query)
        body = json.dumps({"token": self._token(query["scope"][0])}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _token(self, scope: str) -> str:
        kind, _, rest = scope.partition(":")
        name = rest.rpartition(":")[0]
        now = int(time.time())
        claims = {
            "iss": "tests", "aud": "registry", "sub": USER, "jti": "1", "iat": now, "nbf": now - 60, "exp": now + 60,
            "access": [{"type": kind, "name": name, "actions": ["pull", "push"]}],
        }  # fmt: skip
        der = self.certificate.public_bytes(serialization.Encoding.DER)
        header = {"typ": "JWT", "alg": "RS256", "x5c": [base64.b64encode(der).decode()]}
        signed = ".".join(_base64url(json.dumps(part).encode()) for part in (header, claims))
        signature = self.key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signed}.{_base64url(signature)}"

    def log_message(self, format: str, *args: Any) -> None:
        return


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@contextmanager
def token_registry(folder: Path) -> Iterator[OciRegistry]:
    """One that wants a token of a service."""
    Tokens.key = rsa.generate_private_key(65537, 2048)
    name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tests")]), datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, Tokens.key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(hours=1))
    Tokens.certificate = builder.sign(Tokens.key, hashes.SHA256())
    bundle = folder / "tokens.pem"
    bundle.write_bytes(Tokens.certificate.public_bytes(serialization.Encoding.PEM))
    with serving(Tokens) as port:
        token = {
            "realm": f"http://127.0.0.1:{port}/token",
            "service": "registry",
            "issuer": "tests",
            "rootcertbundle": str(bundle),
        }
        with registry(folder, {"token": token}) as made:
            yield made
