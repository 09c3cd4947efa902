"""Certificates between gateway and operator: a private CA, made and renewed without any other program."""

import contextlib
import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import grpc
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CA_LIFETIME = dt.timedelta(days=3650)
LEAF_LIFETIME = dt.timedelta(days=90)
_CLOCK_SKEW = dt.timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A certificate and its private key, PEM."""

    certificate: bytes
    key: bytes


@dataclass(frozen=True, slots=True)
class Identity:
    """What one side shows (`pair`) and whom it trusts (`authorities`: one or more CA certificates, PEM)."""

    pair: KeyPair
    authorities: bytes


def make_ca(name: str, now: dt.datetime) -> KeyPair:
    """A new certificate authority, valid for `CA_LIFETIME` from `now` (aware)."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _name(name)
    builder = _builder(subject, key.public_key(), now, CA_LIFETIME).issuer_name(subject)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_key_usage(ca=True), critical=True)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    return _pair(builder, key, key)


def make_server(ca: KeyPair, dns_names: Sequence[str], now: dt.datetime) -> KeyPair:
    """A certificate that can only serve, for `dns_names`."""
    return _leaf(ca, dns_names, ExtendedKeyUsageOID.SERVER_AUTH, now)


def make_client(ca: KeyPair, name: str, now: dt.datetime) -> KeyPair:
    """A certificate that can only connect, as `name`."""
    return _leaf(ca, [name], ExtendedKeyUsageOID.CLIENT_AUTH, now)


def needs_renewal(certificate: bytes, now: dt.datetime) -> bool:
    """Whether two thirds of the certificate's life are over (or it has not begun). Raises ValueError if not PEM."""
    parsed = x509.load_pem_x509_certificate(certificate)
    start, end = parsed.not_valid_before_utc, parsed.not_valid_after_utc
    return not start <= now < start + (end - start) * 2 / 3


def is_issued_by(certificate: bytes, authorities: bytes) -> bool:
    """Whether one of `authorities` has signed `certificate`, all PEM. Raises ValueError if they are not."""
    leaf = x509.load_pem_x509_certificate(certificate)
    for authority in x509.load_pem_x509_certificates(authorities):
        with contextlib.suppress(ValueError, TypeError, InvalidSignature):
            leaf.verify_directly_issued_by(authority)
            return True
    return False


def server_credentials(provider: Callable[[], Identity]) -> grpc.ServerCredentials:
    """Server credentials that demand a client certificate. `provider` is asked at every handshake, from a thread of
    grpc's own, so that a renewed certificate needs no restart."""
    current = provider()

    def fetch() -> grpc.ServerCertificateConfiguration | None:
        nonlocal current
        latest = provider()
        if latest == current:
            return None
        current = latest
        return _configuration(latest)

    return grpc.dynamic_ssl_server_credentials(_configuration(current), fetch, require_client_authentication=True)


def _configuration(identity: Identity) -> grpc.ServerCertificateConfiguration:
    pair = (identity.pair.key, identity.pair.certificate)
    return grpc.ssl_server_certificate_configuration([pair], root_certificates=identity.authorities)


def _leaf(ca: KeyPair, names: Sequence[str], usage: x509.ObjectIdentifier, now: dt.datetime) -> KeyPair:
    issuer = x509.load_pem_x509_certificate(ca.certificate)
    issuer_key = serialization.load_pem_private_key(ca.key, password=None)
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder(_name(names[0]), key.public_key(), now, LEAF_LIFETIME).issuer_name(issuer.subject)
    alternatives = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
    authority = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_key_usage(ca=False), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    builder = builder.add_extension(alternatives, critical=False)
    identifier = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(authority)
    builder = builder.add_extension(identifier, critical=False)
    if not isinstance(issuer_key, ec.EllipticCurvePrivateKey):
        raise TypeError("the CA's key must be an elliptic curve key")
    return _pair(builder, key, issuer_key)


def _builder(
    subject: x509.Name, public_key: ec.EllipticCurvePublicKey, now: dt.datetime, lifetime: dt.timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + lifetime)
    )


def _pair(
    builder: x509.CertificateBuilder, key: ec.EllipticCurvePrivateKey, signer: ec.EllipticCurvePrivateKey
) -> KeyPair:
    certificate = builder.sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return KeyPair(certificate, key.private_bytes(*form))


def _key_usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca,
        key_cert_sign=ca,
        crl_sign=ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(name: str) -> x509.Name:
    # A common name holds 64 characters; the alternative names are what is checked.
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])
