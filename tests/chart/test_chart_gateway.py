"""The gateway's Envoy starts with what the control plane expects of it, and stops without losing a request."""

import datetime as dt
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path, PurePosixPath
from threading import Thread

import pytest
import yaml
from tests.chart.rendering import ROOT, Manifests, Object, render

from turnout_operator.xds import tls
from turnout_operator.xds.bootstrap import bootstrap, sds_files
from turnout_operator.xds.render.cluster import cluster
from turnout_operator.xds.render.tls import SDS_DIRECTORY

MOUNTED = PurePosixPath("/etc/turnout/bootstrap")
ENVOY = ROOT / ".venv" / "bin" / "envoy"


def files(chart: Manifests) -> dict[str, str]:
    found: dict[str, str] = chart.get("ConfigMap", "turnout-gateway")["data"]
    return found


def pod(chart: Manifests) -> Object:
    template: Object = chart.get("Deployment", "turnout-gateway")["spec"]["template"]
    return template


def container(chart: Manifests, name: str) -> Object:
    (found,) = (each for each in pod(chart)["spec"]["containers"] if each["name"] == name)
    return found


@pytest.mark.parametrize("namespace", ["turnout-system", "other"])
def test_the_bootstrap_is_the_one_that_the_xds_tests_use(namespace: str) -> None:
    rendered = {name: yaml.safe_load(text) for name, text in files(render(namespace)).items()}
    wanted = bootstrap(xds_address=f"turnout-xds.{namespace}.svc", xds_port=18000, sds_directory=MOUNTED)
    assert rendered == {"envoy.yaml": wanted, **sds_files()}


def test_the_gateway_has_its_certificate_where_the_clusters_of_guarded_pods_look(chart: Manifests) -> None:
    assert SDS_DIRECTORY == MOUNTED
    assert "certificate.yaml" in files(chart)
    assert str(SDS_DIRECTORY) in str(cluster("ns/a", SDS_DIRECTORY))


def test_envoy_accepts_its_arguments_and_files(chart: Manifests, tmp_path: Path) -> None:
    install(chart, tmp_path)
    arguments = [
        each.replace("/etc/turnout", str(tmp_path)).replace("$(POD_NAME)", "turnout-gateway-0")
        for each in container(chart, "envoy")["args"]
    ]
    done = subprocess.run([ENVOY, *arguments, "--mode", "validate"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "OK" in done.stdout


def install(chart: Manifests, folder: Path) -> None:
    """What the gateway's volumes hold, under `folder` in place of /etc/turnout."""
    now = dt.datetime.now(dt.UTC)
    authority = tls.make_ca("test", now)
    client = tls.make_client(authority, "turnout-gateway", now)
    secret = {"ca.crt": authority.certificate, "tls.crt": client.certificate, "tls.key": client.key}
    (folder / "bootstrap").mkdir()
    (folder / "tls").mkdir()
    for name, text in files(chart).items():
        (folder / "bootstrap" / name).write_text(text.replace("/etc/turnout", str(folder)))
    for name, data in secret.items():
        (folder / "tls" / name).write_bytes(data)


def test_volumes_are_mounted_where_the_files_say(chart: Manifests) -> None:
    mounts = {each["name"]: each for each in container(chart, "envoy")["volumeMounts"]}
    assert {name: each["mountPath"] for name, each in mounts.items()} == {
        "bootstrap": "/etc/turnout/bootstrap",
        "certificate": "/etc/turnout/tls",
    }
    assert all(each["readOnly"] and "subPath" not in each for each in mounts.values())  # a subPath is never renewed
    (secret,) = (each["secret"] for each in pod(chart)["spec"]["volumes"] if "secret" in each)
    assert secret == {"secretName": "turnout-xds-gateway", "defaultMode": 0o440}


def test_each_envoy_has_a_name_of_its_own(chart: Manifests) -> None:
    envoy = container(chart, "envoy")
    arguments = envoy["args"]
    assert arguments[arguments.index("--service-node") + 1] == "$(POD_NAME)"
    assert envoy["env"] == [{"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]
    assert "command" not in envoy  # Envoy is the entrypoint of the official image and of ours


def test_a_changed_bootstrap_rolls_the_pods(chart: Manifests) -> None:
    assert annotations(render("other")) != annotations(chart)
    assert annotations(render(gateway__replicas=5)) == annotations(chart)


def annotations(chart: Manifests) -> Object:
    found: Object = pod(chart)["metadata"]["annotations"]
    assert set(found) == {"checksum/bootstrap"}
    return found


@pytest.mark.parametrize("seconds", [5, 30])
def test_envoy_lives_through_the_drain(seconds: int) -> None:
    chart = render(gateway__drainSeconds=seconds)
    envoy = container(chart, "envoy")
    assert envoy["lifecycle"] == {"preStop": {"sleep": {"seconds": seconds}}}
    assert envoy["args"][envoy["args"].index("--drain-time-s") + 1] == str(seconds)
    assert pod(chart)["spec"]["terminationGracePeriodSeconds"] >= seconds + 5


def test_a_stopping_pod_tells_envoy_to_close_its_connections(chart: Manifests) -> None:
    interpreter, *arguments = container(chart, "drain")["lifecycle"]["preStop"]["exec"]["command"]
    assert interpreter == "python3"
    asked: list[str] = []

    class Admin(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()

    with HTTPServer(("127.0.0.1", 0), Admin) as server:
        Thread(target=server.handle_request, daemon=True).start()
        local = [each.replace(":9901", f":{server.server_port}") for each in arguments]
        assert local != arguments
        subprocess.run([sys.executable, *local], check=True, timeout=20)
    assert asked == ["/healthcheck/fail"]


def test_the_drain_container_ends_when_told(chart: Manifests) -> None:
    _, *arguments = container(chart, "drain")["command"]
    with subprocess.Popen([sys.executable, *arguments]) as process:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1)
        process.terminate()
        assert process.wait(5) == 0
