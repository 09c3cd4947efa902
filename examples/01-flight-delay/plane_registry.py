"""The aircraft registry of the example: GET /planes/<tail number> answers year and seats, or 404."""

import json
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote


class Registry(BaseHTTPRequestHandler):
    """Answers from a table that is read once."""

    protocol_version = "HTTP/1.1"  # connections stay open
    disable_nagle_algorithm = True  # head and body are two writes: without this the second one waits for an ACK
    planes: dict[str, Any]

    def do_GET(self) -> None:
        prefix, _, tail_number = self.path.rpartition("/")
        found = self.planes.get(unquote(tail_number)) if prefix == "/planes" else None
        known = found is not None or self.path == "/"
        body = json.dumps(found if found is not None else {"planes": len(self.planes)}).encode() if known else b"{}"
        self.send_response(200 if known else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing of a request: there are hundreds a second."""


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # as the first process of a container it would be deaf to it
    Registry.planes = json.loads(Path(sys.argv[1]).read_text())
    with ThreadingHTTPServer(("", int(sys.argv[2])), Registry) as server:
        print(f"listening on port {server.server_port}", flush=True)
        server.serve_forever()
