"""Envoy's configuration as plain mappings in the YAML shape of its documentation; pure."""

from collections.abc import Mapping

TYPE_PREFIX = "type.googleapis.com/"

JsonMap = Mapping[str, object]


def typed(message: str, **fields: object) -> dict[str, object]:
    """A `google.protobuf.Any` of the named message."""
    return {"@type": TYPE_PREFIX + message, **fields}


def set_header(name: str, value: str) -> dict[str, object]:
    """Set a header, replacing what was there. A `value` that formats to nothing adds none."""
    return {"header": {"key": name, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}


def literal(text: str) -> str:
    """`text` as a header value that Envoy's formatter leaves alone."""
    return text.replace("%", "%%")


def ads(**more: object) -> dict[str, object]:
    """A config source that waits for the control plane: half a configuration must never serve."""
    return {"ads": {}, "resource_api_version": "V3", "initial_fetch_timeout": "0s", **more}
