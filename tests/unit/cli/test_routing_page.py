"""What docs/routing.md shows runs, and prints what it says."""

import sys
from pathlib import Path

from tests.integration.runtime.test_batch_pages import blocks, shown

PROGRAMS = {
    "kubectl": '#!/bin/sh\nname="kubectl-$1"; shift; exec "$name" "$@"\n',
    "kubectl-turnout": f'#!/bin/sh\nexec {sys.executable} -m turnout_operator.cli "$@"\n',
}


def test_the_commands_of_the_routing_page(tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for name, text in PROGRAMS.items():
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    for code, expected in blocks("routing.md", "sh"):
        assert shown(["bash", "-euo", "pipefail", "-c", code], tmp_path, f"{tools}:/usr/bin:/bin") == expected, code
