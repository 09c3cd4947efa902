"""Only gateways with a certificate of the CA are answered, and certificates are renewed without a restart."""

import datetime as dt
import json
import os
from pathlib import Path, PurePosixPath

import grpc
import grpc.aio
from cryptography import x509
from envoy.service.discovery.v3 import ads_pb2_grpc, discovery_pb2
from tests.integration.xds.envoy import Envoy
from tests.integration.xds.world import World, policy

from turnout_operator.xds.bootstrap import sds_files
from turnout_operator.xds.resources import Kind
from turnout_operator.xds.tls import Identity, KeyPair, make_ca, make_client, make_server, server_credentials

NAME = "turnout-xds.turnout-system.svc"
NOW = dt.datetime.now(dt.UTC)
CA = make_ca("turnout", NOW)


class Mount:
    """A Secret as the kubelet mounts it: files behind a symbolic link that is swapped at once."""

    def __init__(self, folder: Path) -> None:
        self.sds = folder / "sds"
        self._tls = folder / "tls"
        self._count = 0
        for each in (self.sds, self._tls):
            each.mkdir(parents=True)
        for name, content in sds_files(PurePosixPath(self._tls)).items():
            (self.sds / name).write_text(json.dumps(content))

    def put(self, ca: bytes, pair: KeyPair) -> None:
        self._count += 1
        content = self._tls / f"..{self._count}"
        content.mkdir()
        for name, data in {"ca.crt": ca, "tls.crt": pair.certificate, "tls.key": pair.key}.items():
            (content / name).write_bytes(data)
            if not (self._tls / name).is_symlink():
                (self._tls / name).symlink_to(Path("..data") / name)
        (self._tls / "..next").symlink_to(content.name)
        os.replace(self._tls / "..next", self._tls / "..data")


def identity(ca: KeyPair, trusts: bytes | None = None) -> Identity:
    return Identity(make_server(ca, [NAME], NOW), trusts or ca.certificate)


async def start(world: World, mount: Mount) -> Envoy:
    return await world.start_envoy(tls=mount.sds, server_name=NAME)


async def ask(port: int, client: KeyPair | None, ca: KeyPair = CA) -> grpc.StatusCode:
    """Open a stream with `client`'s certificate to a server of `ca`; OK if it is answered."""
    pair = (client.key, client.certificate) if client else (None, None)
    credentials = grpc.ssl_channel_credentials(ca.certificate, *pair)
    options = [("grpc.ssl_target_name_override", NAME)]
    async with grpc.aio.secure_channel(f"127.0.0.1:{port}", credentials, options) as channel:
        call = ads_pb2_grpc.AggregatedDiscoveryServiceStub(channel).DeltaAggregatedResources(timeout=3)
        try:
            await call.write(discovery_pb2.DeltaDiscoveryRequest(type_url=Kind.CLUSTER))
            await call.read()
        except (grpc.aio.AioRpcError, grpc.aio.UsageError):
            return await call.code()
        call.cancel()
        return grpc.StatusCode.OK


async def test_without_a_client_certificate_of_the_ca_nobody_is_answered(world: World) -> None:
    await world.serve(credentials=server_credentials(lambda: identity(CA)))
    stranger = make_ca("stranger", NOW)
    assert await ask(world.port, make_client(CA, "gateway", NOW)) is grpc.StatusCode.OK
    for client in (None, make_client(stranger, "gateway", NOW), make_server(CA, [NAME], NOW)):
        assert await ask(world.port, client) is grpc.StatusCode.UNAVAILABLE


async def test_envoy_connects_by_mtls(world: World, tmp_path: Path) -> None:
    mount = Mount(tmp_path / "mount")
    mount.put(CA.certificate, make_client(CA, "gateway", NOW))
    await world.start_pods("a")
    await world.serve(policy("fd", {"a": 10_000}), credentials=server_credentials(lambda: identity(CA)))
    envoy = await start(world, mount)
    await world.acked("fd")
    assert (await envoy.predict("fd"))[0] == 200


async def test_envoy_refuses_a_server_of_another_name(world: World, tmp_path: Path) -> None:
    mount = Mount(tmp_path / "mount")
    mount.put(CA.certificate, make_client(CA, "gateway", NOW))
    await world.serve(credentials=server_credentials(lambda: identity(CA)))
    envoy = world.spawn_envoy(tls=mount.sds, server_name="evil.example.org")
    await envoy.shows("/clusters", "xds::127.0.0.1:.*::cx_connect_fail::[1-9]")
    assert world.xds.traffic.responses == 0


async def test_both_sides_renew_without_a_restart(world: World, tmp_path: Path) -> None:
    """A new CA takes over in the usual three steps: trusted by both, used by both, the old one forgotten."""
    mount, new = Mount(tmp_path / "mount"), make_ca("turnout 2", NOW)
    both = CA.certificate + new.certificate
    current = identity(CA)
    mount.put(CA.certificate, make_client(CA, "gateway", NOW))
    await world.start_pods("a")
    await world.serve(policy("fd", {"a": 10_000}), credentials=server_credentials(lambda: current))
    envoy = await start(world, mount)
    renewed = make_client(new, "gateway", NOW)
    mount.put(both, renewed)
    await envoy.shows("/certs", f"{x509.load_pem_x509_certificate(renewed.certificate).serial_number:x}")
    current = identity(new)
    assert await ask(world.port, make_client(CA, "gateway", NOW), new) is grpc.StatusCode.UNAVAILABLE
    assert await ask(world.port, renewed, new) is grpc.StatusCode.OK
    await world.xds.stop(0)
    await world.serve(policy("fd", {"a": 10_000}, version="v2"), credentials=server_credentials(lambda: current))
    await world.acked("fd")
    assert (await envoy.predict("fd"))[0] == 200
