"""Certificates of the cluster: one authority, made new with every new cluster."""

import datetime
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFETIME = datetime.timedelta(days=365)


@dataclass(frozen=True)
class Identity:
    """Who a certificate speaks for; with `names` it also serves under them."""

    file: str
    common_name: str
    organization: str | None = None
    names: Sequence[str] = ()


@dataclass(frozen=True)
class Authority:
    """A certificate authority that signs identities."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate


def write(folder: Path, identities: Sequence[Identity]) -> None:
    """Make the authority, the key pair of service accounts and `identities` in `folder`, unless they are there."""
    complete = folder / "complete"
    if complete.exists():
        return
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    authority = make_authority()
    _save(folder / "ca", authority.key, authority.certificate)
    service_accounts = ec.generate_private_key(ec.SECP256R1())
    _save(folder / "sa", service_accounts)
    (folder / "sa.pub").write_bytes(
        service_accounts.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    for identity in identities:
        _save(folder / identity.file, *issue(authority, identity))
    complete.touch()


def make_authority() -> Authority:
    """Return a new self-signed authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "turnout-test-cluster")])
    builder = _builder(name, name, key.public_key()).add_extension(x509.BasicConstraints(True, None), critical=True)
    return Authority(key, builder.sign(key, hashes.SHA256()))


def issue(authority: Authority, identity: Identity) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    """Return a key and its certificate, for clients and, with names, for servers."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = [x509.NameAttribute(NameOID.COMMON_NAME, identity.common_name)]
    if identity.organization:
        subject.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, identity.organization))
    usages = [ExtendedKeyUsageOID.CLIENT_AUTH, *([ExtendedKeyUsageOID.SERVER_AUTH] if identity.names else [])]
    builder = _builder(x509.Name(subject), authority.certificate.subject, key.public_key())
    builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
    if identity.names:
        alternatives = x509.SubjectAlternativeName([_general_name(name) for name in identity.names])
        builder = builder.add_extension(alternatives, critical=False)
    return key, builder.sign(authority.key, hashes.SHA256())


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder(issuer, subject, key, x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + LIFETIME)
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _save(stem: Path, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate | None = None) -> None:
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    stem.with_suffix(".key").write_bytes(private)
    stem.with_suffix(".key").chmod(0o600)
    if certificate is not None:
        stem.with_suffix(".crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
