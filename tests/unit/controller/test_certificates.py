"""The certificates around a renewed authority: the gateways' own stays until all who must know it have heard."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from tests.unit.kube.fakes import FakeApi

from turnout_operator.controller.certificates import CA_SECRET, GATEWAY_SECRET, Certificates
from turnout_operator.kube.resources import SECRETS
from turnout_operator.xds.tls import is_issued_by, make_ca, make_client, needs_renewal

LONG_AGO = datetime.now(UTC) - timedelta(days=3000)


class Renewals:
    """Certificates around an API server of its own, always leading; `told` counts calls of `renewed`."""

    def __init__(self) -> None:
        self.api = FakeApi()
        self.told = 0
        self.certificates = Certificates(self.api, "ns", "xds", lambda: True, self._renewed)

    def _renewed(self) -> None:
        self.told += 1

    def secret(self, name: str) -> dict[str, bytes]:
        data = self.api.objects[SECRETS.path("ns", name)]["data"]
        return {key: base64.b64decode(value) for key, value in data.items()}

    def put(self, name: str, **data: bytes) -> None:
        encoded = {key.replace("_", "."): base64.b64encode(value).decode() for key, value in data.items()}
        self.api.objects[SECRETS.path("ns", name)] = {"metadata": {"name": name}, "data": encoded}


@pytest.fixture
async def renewals() -> Renewals:
    made = Renewals()
    await made.certificates.load()
    return made


async def test_authorities_are_empty_before_they_are_loaded_and_then_the_ca():
    made = Renewals()
    assert made.certificates.authorities() == ""
    await made.certificates.load()
    assert made.certificates.authorities().encode() == made.secret(CA_SECRET)["ca.crt"]
    assert made.told == 0


async def test_a_renewed_authority_leaves_the_gateways_certificate_and_is_told(renewals):
    old = make_ca("turnout-xds", LONG_AGO)
    client = make_client(old, "turnout-gateway", datetime.now(UTC))
    renewals.put(CA_SECRET, ca_crt=old.certificate, ca_key=old.key, previous_crt=b"")
    renewals.put(GATEWAY_SECRET, ca_crt=old.certificate, tls_crt=client.certificate, tls_key=client.key)
    await renewals.certificates._refresh()
    now = renewals.secret(GATEWAY_SECRET)
    assert now["tls.crt"] == client.certificate
    assert len(x509.load_pem_x509_certificates(now["ca.crt"])) == 2
    assert is_issued_by(now["tls.crt"], renewals.certificates.authorities().encode())
    assert not needs_renewal(renewals.secret(CA_SECRET)["ca.crt"], datetime.now(UTC))
    assert renewals.told == 1


async def test_a_certificate_of_a_forgotten_authority_is_replaced(renewals):
    stranger = make_ca("stranger", datetime.now(UTC))
    client = make_client(stranger, "turnout-gateway", datetime.now(UTC))
    renewals.put(GATEWAY_SECRET, ca_crt=stranger.certificate, tls_crt=client.certificate, tls_key=client.key)
    await renewals.certificates._refresh()
    assert is_issued_by(renewals.secret(GATEWAY_SECRET)["tls.crt"], renewals.secret(CA_SECRET)["ca.crt"])
    assert renewals.told == 0
