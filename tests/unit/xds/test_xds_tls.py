"""Certificates: who may be what, how long, and when to renew."""

import datetime as dt

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from turnout_operator.xds.tls import LEAF_LIFETIME, make_ca, make_client, make_server, needs_renewal

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
CA = make_ca("turnout", NOW)


def usages(certificate: bytes) -> list[x509.ObjectIdentifier]:
    parsed = x509.load_pem_x509_certificate(certificate)
    return list(parsed.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)


def test_server_and_client_can_only_be_that() -> None:
    server, client = make_server(CA, ["xds.svc"], NOW), make_client(CA, "gateway", NOW)
    assert usages(server.certificate) == [ExtendedKeyUsageOID.SERVER_AUTH]
    assert usages(client.certificate) == [ExtendedKeyUsageOID.CLIENT_AUTH]


def test_leaves_are_issued_by_the_ca_for_their_names() -> None:
    names = ["turnout-xds.turnout-system.svc", "x" * 63 + ".example.org"]
    leaf = x509.load_pem_x509_certificate(make_server(CA, names, NOW).certificate)
    leaf.verify_directly_issued_by(x509.load_pem_x509_certificate(CA.certificate))
    found = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert found.get_values_for_type(x509.DNSName) == names


def test_a_key_belongs_to_its_certificate_and_to_no_other() -> None:
    one, other = make_client(CA, "gateway", NOW), make_client(CA, "gateway", NOW)
    assert one.key != other.key
    assert one.key.startswith(b"-----BEGIN PRIVATE KEY-----")


@pytest.mark.parametrize(
    ("age", "due"),
    [(0.0, False), (0.5, False), (0.66, False), (0.68, True), (2.0, True), (-0.5, True)],
)
def test_renewal_is_due_after_two_thirds_of_a_life_or_before_it_begins(age: float, due: bool) -> None:
    leaf = make_client(CA, "gateway", NOW)
    assert needs_renewal(leaf.certificate, NOW + age * LEAF_LIFETIME) is due


def test_what_is_no_certificate_is_refused() -> None:
    with pytest.raises(ValueError, match="PEM"):
        needs_renewal(b"nonsense", NOW)
