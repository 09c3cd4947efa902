"""Pods that answer nobody but the gateways: Envoy shows its certificate, and a renewed one without a restart."""

import asyncio
import datetime as dt
import ssl
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest
from aiohttp import ClientError
from cryptography import x509
from tests.integration.xds.envoy import Envoy
from tests.integration.xds.test_xds_mtls import CA, NAME, Mount, identity
from tests.integration.xds.world import World, policy

from turnout_operator.plan.routes import ArmRoute, Fallback
from turnout_operator.xds.tls import make_ca, make_client, make_server, server_credentials

NOW = dt.datetime.now(dt.UTC)


def demanding(folder: Path, authorities: bytes) -> ssl.SSLContext:
    """A pod's context: a certificate that nobody vouches for, and callers of `authorities` only."""
    folder.mkdir(exist_ok=True)
    own = make_server(make_ca("a pod", NOW), ["pod"], NOW)
    (folder / "pair.pem").write_bytes(own.certificate + own.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "pair.pem")
    context.load_verify_locations(cadata=authorities.decode())
    context.verify_mode = ssl.CERT_REQUIRED
    return context


@pytest.fixture
def mount(tmp_path: Path) -> Mount:
    made = Mount(tmp_path / "mount")
    made.put(CA.certificate, make_client(CA, "turnout-gateway", NOW))
    return made


async def serve(world: World, mount: Mount, *policies) -> Envoy:
    credentials = server_credentials(lambda: identity(CA))
    await world.serve(*policies, credentials=credentials, sds_directory=PurePosixPath(mount.sds))
    return await world.start_envoy(tls=mount.sds, server_name=NAME)


async def test_the_gateway_is_answered_and_nobody_else(world: World, mount: Mount, tmp_path: Path) -> None:
    await world.start_pods("a", tls=demanding(tmp_path / "pod", CA.certificate))
    await world.start_pods("plain")
    guarded, both = policy("fd", {"a": 10_000}, guarded=True), policy("plain", {"plain": 10_000})
    envoy = await serve(world, mount, guarded, both)
    assert (await envoy.predict("fd"))[0] == 200
    assert (await envoy.predict("plain"))[0] == 200
    address = f"{world.pods['a'].endpoint.address}:{world.pods['a'].endpoint.port}"
    stranger = ssl.create_default_context()
    stranger.check_hostname, stranger.verify_mode = False, ssl.CERT_NONE
    for url in (f"http://{address}/", f"https://{address}/"):
        with pytest.raises((ClientError, ssl.SSLError)):
            async with world.session.get(url, ssl=stranger) as response:
                await response.read()


async def test_pods_that_trust_another_authority_do_not_answer(world: World, mount: Mount, tmp_path: Path) -> None:
    await world.start_pods("a", tls=demanding(tmp_path / "pod", make_ca("stranger", NOW).certificate))
    envoy = await serve(world, mount, policy("fd", {"a": 10_000}, guarded=True))
    status, body = await envoy.predict("fd")
    assert (status, body["type"].rsplit("/")[-1]) == (503, "upstream-unavailable")


async def test_a_renewed_certificate_is_shown_without_a_restart(world: World, mount: Mount, tmp_path: Path) -> None:
    new = make_ca("turnout 2", NOW)
    await world.start_pods("old", tls=demanding(tmp_path / "old", CA.certificate))
    await world.start_pods("new", tls=demanding(tmp_path / "new", new.certificate))
    policies = [policy(name, {name: 10_000}, guarded=True) for name in ("old", "new")]
    envoy = await serve(world, mount, *policies)
    assert [(await envoy.predict(name))[0] for name in ("old", "new")] == [200, 503]
    renewed = make_client(new, "turnout-gateway", NOW)
    mount.put(CA.certificate + new.certificate, renewed)
    await envoy.shows("/certs", f"{x509.load_pem_x509_certificate(renewed.certificate).serial_number:x}")
    for _ in range(100):
        if (await envoy.predict("new"))[0] == 200:
            return
        await asyncio.sleep(0.05)
    raise AssertionError("the renewed certificate was never shown")


async def test_a_revision_that_becomes_guarded_takes_over_without_a_failed_request(
    world: World, mount: Mount, tmp_path: Path
) -> None:
    await world.start_pods("a")
    await world.start_pods("b", tls=demanding(tmp_path / "pod", CA.certificate))
    envoy = await serve(world, mount, policy("fd", {"a": 10_000}))
    statuses: set[int] = set()
    for number in range(60):
        if number == 20:
            world.xds.set_route(policy("fd", {"b": 10_000}, version="v2", guarded=True))
        statuses.add((await envoy.predict("fd"))[0])
    await world.acked("fd")
    assert statuses == {200}
    assert (await envoy.predict("fd"))[1]["pod"] == "b"


async def test_a_guarded_arm_is_a_fallback_too(world: World, mount: Mount, tmp_path: Path) -> None:
    await world.start_pods("a", tls=demanding(tmp_path / "pod", CA.certificate))
    await world.start_pods("plain")
    rung = ArmRoute("a", "demo/a", "a", 0, guarded=True)
    fallback = Fallback((rung,), None, frozenset({"5xx"}), None, 64)
    envoy = await serve(world, mount, replace(policy("fd", {"plain": 10_000}), fallback=fallback))
    world.pods["plain"].status = 503
    assert (await envoy.predict("fd"))[1]["pod"] == "a"
