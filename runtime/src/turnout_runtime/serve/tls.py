"""TLS for a pod that only the gateway may call.

What is proven is the caller: it needs a certificate of the gateway's own authority. The pod's side is signed by nobody
else than itself; whoever could take its address could not answer for its callers anyway.
"""

import hashlib
import os
import ssl
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from turnout_runtime.errors import ConfigInvalid

_LIFETIME = timedelta(days=3650)


class Gateway:
    """The gateway's authority, as its file says now, and our certificate of this process's life."""

    def __init__(self, authority: Path) -> None:
        """Raises `ConfigInvalid` when the file has no certificate, or the extra `tls` is not installed."""
        self._path = authority
        self._key, self._certificate = _self_signed()
        self._pem = self._read()
        self.context = self._context(self._pem)
        """What the HTTP port listens under; another one after `reload` has found a change."""

    def reload(self) -> bool:
        """Read the file again; whether it has changed. One that cannot be used raises `ConfigInvalid`, once."""
        pem = self._read()
        if pem == self._pem:
            return False
        self._pem = pem
        self.context = self._context(pem)
        return True

    @property
    def fingerprint(self) -> str:
        """Which authority is in use, for the log."""
        return hashlib.sha256(self._pem).hexdigest()[:16]

    def grpc_credentials(self) -> Any:
        """Credentials for a gRPC server, which follow `reload` by themselves."""
        import grpc

        def configuration() -> Any:
            pair = ((self._key, self._certificate),)
            return grpc.ssl_server_certificate_configuration(pair, root_certificates=self._pem)

        return grpc.dynamic_ssl_server_credentials(configuration(), configuration, require_client_authentication=True)

    def _read(self) -> bytes:
        try:
            return self._path.read_bytes()
        except OSError as error:
            raise ConfigInvalid(f"serving.gatewayCa {self._path}: {error.strerror}") from error

    def _context(self, pem: bytes) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.verify_mode = ssl.CERT_REQUIRED
        context.set_alpn_protocols(["http/1.1"])
        try:
            context.load_verify_locations(cadata=pem.decode("ascii"))
        except (ssl.SSLError, UnicodeDecodeError, ValueError) as error:
            raise ConfigInvalid(f"serving.gatewayCa {self._path}: is no PEM certificate") from error
        with closing(_Memory(self._key + self._certificate)) as file:
            context.load_cert_chain(file.path)
        return context


class _Memory:
    """A file that is nowhere: the ssl module reads keys from files, and a key has no business on a disk."""

    def __init__(self, content: bytes) -> None:
        self._file = os.memfd_create("turnout-tls", os.MFD_CLOEXEC)
        os.write(self._file, content)
        self.path = f"/proc/self/fd/{self._file}"

    def close(self) -> None:
        os.close(self._file)


def _self_signed() -> tuple[bytes, bytes]:
    """A new key and a certificate of its own, PEM."""
    try:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.x509.oid import NameOID
    except ImportError as error:
        raise ConfigInvalid("serving.access: gateway needs the extra `tls` of turnout-runtime") from error
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "turnout")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + _LIFETIME)
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("turnout")]), critical=False)
    certificate = builder.sign(key, hashes.SHA256())
    encoding = serialization.Encoding.PEM
    private = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return private, certificate.public_bytes(encoding)
