import os
import socket
from pathlib import Path

import pytest
from cryptography import x509
from tests.cluster import cleanup, host, mounts, owner, pki, prerequisites, programs
from tests.cluster.paths import RUN
from tests.cluster.pki import Identity
from tests.cluster.shell import ClusterError


def test_mounts_are_undone_from_the_last_and_only_ours() -> None:
    points = ("/c/.cluster/data/x", "/c/.cluster/data/x/y\\040z", "/c/.cluster2/q")
    table = "".join(f"tmpfs {point} tmpfs rw 0 0\n" for point in points)
    found = mounts.below(table, [Path("/c/.cluster")])
    assert found == ["/c/.cluster/data/x/y z", "/c/.cluster/data/x"]


def test_only_sockets_without_a_listener_are_removed(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as living, socket.socket(socket.AF_UNIX) as dead:
        living.bind(str(tmp_path / "living"))
        living.listen()
        dead.bind(str(tmp_path / "dead"))
        dead.close()
        (tmp_path / "file").touch()
        cleanup.remove_dead_sockets(tmp_path)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "living"]


def test_only_results_of_our_pods_are_removed(tmp_path: Path) -> None:
    (tmp_path / "ours").write_text(f'{{"sandbox": "{RUN}/containerd/netns/cni-1"}}')
    (tmp_path / "theirs").write_text('{"sandbox": "/run/netns/cni-2"}')
    cleanup.remove_cni_results(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["theirs"]


def test_another_checkouts_cluster_is_refused_by_name(tmp_path: Path) -> None:
    record = tmp_path / "owner"
    owner.refuse_foreign(True, record)
    owner.claim(record)
    owner.refuse_foreign(True, record)
    other = tmp_path / "elsewhere"
    record.write_text(f"{other}\n")
    owner.refuse_foreign(True, record)
    other.mkdir()
    owner.refuse_foreign(False, record)
    with pytest.raises(ClusterError, match="elsewhere"):
        owner.refuse_foreign(True, record)


def test_taken_ports_are_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(ClusterError, match=f"127.0.0.1:{port}"):
            host.refuse_taken_ports([("127.0.0.1", port)])
    host.refuse_taken_ports([("127.0.0.1", port)])


def test_missing_packages_are_found_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    needed = {"no-such-program-1": "package-b", "/no/such/file": "package-a", "sh": "dash"}
    assert prerequisites.missing(needed) == ["package-a", "package-b"]
    monkeypatch.setattr(prerequisites, "is_debian", lambda: False)
    with pytest.raises(ClusterError, match="please install: package-a package-b"):
        prerequisites.ensure(needed)


def test_certificates_carry_who_they_speak_for() -> None:
    authority = pki.make_authority()
    _, client = pki.issue(authority, Identity("a", "system:node:n", "system:nodes"))
    assert client.subject.rfc4514_string() == "O=system:nodes,CN=system:node:n"
    client.verify_directly_issued_by(authority.certificate)
    _, server = pki.issue(authority, Identity("b", "api", names=("10.0.0.1", "api.local")))
    names = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(ip) for ip in names.get_values_for_type(x509.IPAddress)] == ["10.0.0.1"]
    assert names.get_values_for_type(x509.DNSName) == ["api.local"]


def test_certificates_are_made_once(tmp_path: Path) -> None:
    pki.write(tmp_path / "pki", [Identity("a", "a")])
    before = (tmp_path / "pki" / "ca.crt").read_bytes()
    pki.write(tmp_path / "pki", [Identity("a", "a")])
    assert (tmp_path / "pki" / "ca.crt").read_bytes() == before
    assert (tmp_path / "pki" / "a.key").stat().st_mode & 0o77 == 0


def test_programs_of_the_module_report_its_kubernetes_version() -> None:
    version = programs.kubernetes_version((programs.MODULE / "go.mod").read_text())
    assert version.startswith("v1.")
    assert f"gitVersion={version}" in programs.flags(programs.KUBECTL, version)[-1]
    assert "gitVersion" not in programs.flags(programs.HELM, version)[-1]
    with pytest.raises(ClusterError):
        programs.kubernetes_version("module x")


def test_only_the_newest_builds_stay(tmp_path: Path) -> None:
    for age in range(5):
        path = tmp_path / f"helm-{age}"
        path.touch()
        os.utime(path, (1000 - age, 1000 - age))
    programs.prune(tmp_path.glob("helm-*"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["helm-0", "helm-1", "helm-2"]
