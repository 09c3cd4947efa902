"""A part of a metrics text, for those who often read a few of them: `/metrics?name[]=…`, as in prometheus_client."""

from collections.abc import Collection


def select(text: bytes, names: Collection[str]) -> bytes:
    """The samples of these names in Prometheus' text format, with their families' HELP and TYPE."""
    wanted = {name.encode() for name in names}
    kept: list[bytes] = []
    about: list[bytes] = []
    for line in text.splitlines(keepends=True):
        if line.startswith(b"#"):
            about = [line] if line.startswith(b"# HELP") else [*about, line]
        elif line.partition(b"{")[0].partition(b" ")[0] in wanted:
            kept += [*about, line]
            about = []
    return b"".join(kept)
