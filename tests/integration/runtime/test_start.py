"""What a pod says when it cannot start, and what its probes say while it does."""

import http.server
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from tests.integration.runtime.process import Runtime, config_for, free_port, running, stop
from tests.unit.runtime.builders import BUNDLES, DIGEST, MANIFEST, write_bundle

from turnout_runtime.bundle.archive import pack
from turnout_runtime.bundle.tree import digest_folder

WITH_MODEL = MANIFEST + b"models: {m: {path: m.onnx, format: onnx}}\n"
EXPECTED = {
    "config absent": ("ConfigInvalid", "No such file or directory"),
    "config field": ("ConfigInvalid", "serving.concurrency: "),
    "secret not set": ("ConfigInvalid", "facts.weather.redis: the variable NO_SUCH_URL is not set"),
    "configmap absent": ("BundleNotFound", "create ConfigMap 'echo' with the key 'bundle.tar.gz'"),
    "pvc path absent": ("BundleNotFound", "PersistentVolumeClaim 'claim' has no file or folder 'models/echo'"),
    "http 404": ("BundleNotFound", "/missing.tar.gz: the server answered 404"),
    "http broken": ("BundleNotFound", "/broken.tar.gz: the server answered 500"),
    "http refused": ("BundleNotFound", "cannot connect: "),
    "http cut off": ("BundleNotFound", "the transfer broke off"),
    "other digest": ("DigestMismatch", f"wanted {DIGEST}, got {digest_folder(BUNDLES / 'echo')}"),
    "bad manifest": ("BundleInvalid", "bundle.yaml: workflow: must be module:Class"),
    "import error": ("WorkflowImportError", "importing workflow: helper.py:2: KeyError: 'missing'"),
    "setup error": ("WorkflowSetupFailed", "setup(): workflow.py:8: RuntimeError: the lookup table is empty"),
    "file changed": ("DigestMismatch", "artifacts.words.path: words.txt has the sha256 "),
    "package absent": ("RequirementsNotMet", "the bundle needs no-such-package>=1 (not installed)"),
    "schema changed": ("SchemaMismatch", "request.json: the code's schema is another one, at properties.context"),
    "card wrong": ("CardMismatch", "dataset is missing, required is 'flights-2013'"),
    "golden wrong": ("GoldenExamplesFailed", "golden.jsonl line 1: decision is 'made', expected 'late'"),
    "golden unreadable": ("BundleInvalid", "golden.jsonl line 1 is not JSON"),
    "warm-up fails": ("WorkflowSetupFailed", "warmup.jsonl line 1: invalid-request: context: must be"),
    "model absent": ("BundleInvalid", "models.m.path: no file 'm.onnx'"),
    "model corrupt": ("BundleInvalid", "models.m: m.onnx is not a readable ONNX model"),
}


def _unproved(tmp: Path) -> dict[str, dict[str, Any]]:
    """Bundles whose digest is right, and which fail a check of their own."""

    def made(name: str, more: bytes, **files: bytes) -> dict[str, Any]:
        return config_for(tmp, write_bundle(tmp / name, bundle_yaml=MANIFEST + more, **files))

    golden, words = b"golden: golden.jsonl\n", b"artifacts: {words: {path: words.txt, sha256: " + b"a" * 64 + b"}}\n"
    example = b'{"request": {"context": {}}, "expect": {"decision": "late"}}'
    return {
        "file changed": made("changed", words, words_txt=b"late"),
        "package absent": made("needy", b"requirements: [no-such-package>=1]\n"),
        "schema changed": made("schema", b"schemas: {request: request.json}\n", request_json=b"{}"),
        "card wrong": {**made("card", b""), "requires": {"card": {"dataset": "flights-2013"}}},
        "golden wrong": made("golden", golden, golden_jsonl=example),
        "golden unreadable": made("unreadable", golden, golden_jsonl=b"{"),
        "warm-up fails": made("warm", b"warmup: warmup.jsonl\n", warmup_jsonl=b'{"context": 3}'),
    }


class Files(http.server.BaseHTTPRequestHandler):
    """An HTTP server of bundles, one good and the others each bad in its way."""

    bundle: ClassVar[bytes] = b""
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        status = {"/missing.tar.gz": 404, "/broken.tar.gz": 500}.get(self.path.partition("?")[0], 200)
        self.send_response(status)
        self.send_header("Content-Length", str(len(self.bundle)))
        self.end_headers()
        self.wfile.write(self.bundle[:100] if self.path == "/cut.tar.gz" else self.bundle)

    def log_message(self, format: str, *args: Any) -> None:
        return


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    packed = tmp_path_factory.mktemp("http") / "echo.tar.gz"
    pack(BUNDLES / "echo", packed)
    Files.bundle = packed.read_bytes()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Files) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://user:s3cret@127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def _cases(tmp: Path, url: str) -> dict[str, dict[str, Any] | None]:
    def mounted(uri: str, path: Path, digest: str = DIGEST) -> dict[str, Any]:
        return config_for(tmp, BUNDLES / "echo", bundle={"uri": uri, "digest": digest, "path": str(path)})

    def fetched(uri: str) -> dict[str, Any]:
        return config_for(tmp, BUNDLES / "echo", bundle={"uri": uri, "digest": DIGEST, "path": None})

    echo = config_for(tmp, BUNDLES / "echo")
    secret = {"redis": {"urlFromEnv": "NO_SUCH_URL"}, "timeoutSeconds": 1}
    corrupt = write_bundle(tmp / "corrupt", bundle_yaml=WITH_MODEL, m_onnx=b"not a model")
    return {
        "config absent": None,
        "config field": {**echo, "serving": {**echo["serving"], "concurrency": 0}},
        "secret not set": {**echo, "facts": {"weather": secret}},
        "configmap absent": mounted("configmap://echo", tmp / "absent"),
        "pvc path absent": mounted("pvc://claim/models/echo", tmp / "absent"),
        "http 404": fetched(f"{url}/missing.tar.gz"),
        "http broken": fetched(f"{url}/broken.tar.gz?token=s3cret"),
        "http refused": fetched(f"http://127.0.0.1:{free_port()}/x.tar.gz"),
        "http cut off": fetched(f"{url}/cut.tar.gz"),
        "other digest": mounted("pvc://claim/echo", BUNDLES / "echo"),
        "bad manifest": config_for(tmp, BUNDLES / "bad-manifest"),
        "import error": config_for(tmp, BUNDLES / "import-error"),
        "setup error": config_for(tmp, BUNDLES / "setup-error"),
        **_unproved(tmp),
        "model absent": config_for(tmp, write_bundle(tmp / "bare", bundle_yaml=WITH_MODEL)),
        "model corrupt": config_for(tmp, corrupt),
    }


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory, files: str) -> Iterator[dict[str, Runtime]]:
    """All of them at once: each takes a process start."""
    tmp = tmp_path_factory.mktemp("start")
    runtimes = {name: Runtime(tmp / name.replace(" ", "-"), config) for name, config in _cases(tmp, files).items()}
    yield runtimes
    for runtime in runtimes.values():
        stop(runtime)


@pytest.mark.parametrize("case", EXPECTED)
def test_a_pod_that_cannot_start_says_why(failed: dict[str, Runtime], case: str) -> None:
    reason, told = EXPECTED[case]
    words = failed[case].last_words()
    assert words["reason"] == reason
    assert told in words["message"]
    assert "Traceback" not in words["message"]
    assert "\n" not in words["message"]
    last = failed[case].events()[-1]
    assert (last["level"], last["message"], last["reason"]) == ("error", "cannot serve", reason)
    assert "s3cret" not in (failed[case].folder / "stderr").read_text() + words["message"]


def test_downloads_are_tried_three_times_unless_there_is_no_such_thing(failed: dict[str, Runtime]) -> None:
    for case in ("http broken", "http 404", "http cut off"):
        failed[case].last_words()
    assert [Files.asked.count(p) for p in ("/missing.tar.gz", "/broken.tar.gz?token=s3cret", "/cut.tar.gz")] == [
        1,
        3,
        3,
    ]
    assert list((failed["http cut off"].folder / "cache").iterdir()) == [failed["http cut off"].folder / "cache/.lock"]


def test_a_bundle_from_http_is_fetched_once(tmp_path: Path, files: str) -> None:
    digest = digest_folder(BUNDLES / "echo")
    source = {"uri": f"{files}/good.tar.gz", "digest": digest, "path": None}
    config = config_for(tmp_path, BUNDLES / "echo", bundle=source)
    for _ in range(2):
        with running(tmp_path, config) as runtime:
            assert runtime.predict().status == 200
    assert Files.asked.count("/good.tar.gz") == 1
    assert digest_folder(tmp_path / "cache" / digest.removeprefix("sha256:")) == digest


SLOW = b"""
import time
from turnout_runtime.workflow import Decision, Workflow

class Made(Workflow):
    def setup(self, models):
        time.sleep(SECONDS)

    def decide(self, ctx, score):
        return Decision("made", score, 1.0)
"""


def test_a_pod_is_alive_but_not_ready_while_it_loads(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "slow", workflow_py=SLOW.replace(b"SECONDS", b"0.7"))
    runtime = Runtime(tmp_path, config_for(tmp_path, bundle))
    try:
        runtime.wait_for(lambda: any(e["message"] == "listening" for e in runtime.events()))
        assert (runtime.get("/livez").status, runtime.get("/readyz").status) == (200, 503)
        assert runtime.get("/readyz").body == {"phase": "starting"}
        assert not [e for e in runtime.events() if e.get("server") == "http"]
        runtime.wait_ready()
        assert runtime.get("/readyz").status == 200
        assert runtime.predict().body["decision"] == "made"
    finally:
        stop(runtime)


def test_a_pod_that_still_loads_stops_at_once(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "slow", workflow_py=SLOW.replace(b"SECONDS", b"60"))
    runtime = Runtime(tmp_path, config_for(tmp_path, bundle))
    try:
        runtime.wait_for(lambda: any(e["message"] == "listening" for e in runtime.events()))
        started = time.monotonic()
        assert runtime.terminate() == 0
        assert time.monotonic() - started < 2
        assert not (tmp_path / "termination").exists()
    finally:
        stop(runtime)


def test_stderr_is_json_lines_only(failed: dict[str, Runtime]) -> None:
    for runtime in failed.values():
        runtime.last_words()
        for line in (runtime.folder / "stderr").read_text().splitlines():
            assert {"time", "level", "logger", "message"} <= json.loads(line).keys()
