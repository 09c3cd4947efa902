"""The last chapter of docs/first-workflow.md, on the cluster."""

import json
import uuid
from pathlib import Path

from demo.shell import kubectl
from tests.cluster.paths import State
from tests.integration.runtime.page_reader import BLOCK, PAGE, Reader


def test_the_page_ends_with_an_answer_from_the_cluster(gateway: str, tmp_path: Path) -> None:
    reader = Reader(tmp_path, State().bin, KUBECONFIG=str(State().kubeconfig))
    reader.namespace = f"page-{uuid.uuid4().hex[:8]}"
    laptop, cluster = PAGE.split("## 5. Deploy it")
    for code, _ in BLOCK.findall(laptop):
        if not code.startswith(("turnout bundle run", "curl")):
            reader.type(code)
    deploy, forward, ask = (code for code, _ in BLOCK.findall(cluster))
    try:
        reader.type(deploy)
        with reader.meanwhile(forward, "Forwarding from"):
            answer = json.loads(reader.type(ask))
    finally:
        kubectl("delete", "namespace", reader.namespace, "--wait=false", "--ignore-not-found")
    assert (answer["decision"], answer["fallback_used"]) == ("late", True), answer
    assert answer["model_version"].startswith("flight-delay-")
