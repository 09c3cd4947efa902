"""Facts and limits as a ModelDeployment declares them (`spec.facts`, `spec.serving`), for a runtime without a cluster.

A file may be a whole ModelDeployment, or the part alone. Beside the cluster's kinds of facts a laptop has two more:
`value: {…}` is the same for every key, `values: {KEY: {…}}` is looked up.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from turnout_runtime.cli.sizes import bytes_of
from turnout_runtime.config import FactConfig, Serving
from turnout_runtime.errors import ConfigInvalid
from turnout_runtime.validation import describe

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|s|m|h))+")
_PIECE = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_M = TypeVar("_M", bound=BaseModel)
_TIMEOUT = "100ms"
_QUEUE = {"maxDepth": "maxQueueDepth", "maxWait": "maxQueueWait"}


def read_facts(path: Path) -> dict[str, FactConfig]:
    """The facts that a file declares, by name; raises `ConfigInvalid` that names the field and the remedy."""
    document = _part(path, "facts")
    return {str(name): _fact(f"{path}: {name}", fact) for name, fact in document.items()}


def read_serving(path: Path, default: Serving) -> Serving:
    """`default` with what the file declares; raises `ConfigInvalid`."""
    document = dict(_part(path, "serving"))
    queue = document.pop("queue", None) or {}
    if not isinstance(queue, dict):
        raise ConfigInvalid(f"{path}: queue: must be an object")
    if unknown := queue.keys() - _QUEUE.keys():
        raise ConfigInvalid(f"{path}: queue.{min(unknown, key=str)}: no such field; there are {', '.join(_QUEUE)}")
    document.update({_QUEUE[name]: value for name, value in queue.items()})
    if "maxBodySize" in document:
        document["maxBodyBytes"] = _size(f"{path}: maxBodySize", document.pop("maxBodySize"))
    if str(document.pop("access", "Any")).lower() != "any":
        raise ConfigInvalid(f"{path}: access: there is no gateway on this machine: leave it out")
    given = _seconds(f"{path}: ", document, Serving)
    return _checked(Serving, str(path), {**default.model_dump(by_alias=True), **given})


def _part(path: Path, name: str) -> Mapping[Any, Any]:
    try:
        document = yaml.safe_load(path.read_text())
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigInvalid(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    if isinstance(document, dict) and "kind" in document:
        document = (document.get("spec") or {}).get(name) or {}
    elif isinstance(document, dict) and set(document) == {name}:
        document = document[name]
    if not isinstance(document, dict):
        raise ConfigInvalid(f"{path}: must be an object, as a ModelDeployment's spec.{name} is")
    return document


def _fact(place: str, declared: Any) -> FactConfig:
    if not isinstance(declared, dict):
        raise ConfigInvalid(f"{place}: must be an object, such as value: {{temp: 41}}")
    fact = {"timeout": _TIMEOUT, **declared}
    for kind in ("value", "values"):
        if kind in fact:
            fact["plugin"] = {"name": "constant", "options": {kind: _objects(f"{place}.{kind}", fact.pop(kind), kind)}}
    if isinstance(http := fact.get("http"), dict) and isinstance(headers := http.get("headers"), list):
        fact["http"] = {**http, "headers": {str(h.get("name")): h.get("value") for h in headers if "value" in h}}
    _refuse_secrets(place, declared)
    return _checked(FactConfig, place, _seconds(place, fact, FactConfig))


def _objects(place: str, value: Any, kind: str) -> Any:
    """A fact's value, or values by key."""
    each = value.values() if kind == "values" and isinstance(value, dict) else [value]
    if not all(isinstance(item, dict) for item in each):
        raise ConfigInvalid(f"{place}: a fact's value is an object, such as {{temp: 41}}")
    if kind == "values":
        return {str(key): item for key, item in value.items()}
    return value


def _refuse_secrets(place: str, node: Any) -> None:
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for name, child in children:
        if name == "secretRef":
            raise ConfigInvalid(
                f"{place}.secretRef: there are no Secrets on this machine: name a variable instead, with urlFromEnv,"
                " configFromEnv or headersFromEnv"
            )
        _refuse_secrets(f"{place}.{name}", child)


def _seconds(place: str, declared: Mapping[Any, Any], model: type[BaseModel]) -> dict[str, Any]:
    """The same with durations (`timeout: 20ms`) as the runtime has them (`timeoutSeconds: 0.02`), at every depth."""
    result: dict[str, Any] = {}
    fields = {field.alias or name: field.annotation for name, field in model.model_fields.items()}
    for name, value in declared.items():
        where = f"{place}{name}" if place.endswith(": ") else f"{place}.{name}"
        inner = _model_in(fields.get(name))
        if inner is not None and isinstance(value, dict):
            result[name] = _seconds(where, value, inner)
        elif name not in fields and f"{name}Seconds" in fields:
            result[f"{name}Seconds"] = _duration(where, value)
        else:
            result[name] = value
    return result


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model of `Model` or `Model | None`."""
    for kind in (annotation, *getattr(annotation, "__args__", ())):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return kind
    return None


def _duration(place: str, text: Any) -> float:
    if not isinstance(text, str) or not _DURATION.fullmatch(text):
        raise ConfigInvalid(f"{place}: must be a duration such as 20ms, 1.5s or 2m")
    return sum(float(amount) * _UNITS[unit] for amount, unit in _PIECE.findall(text))


def _size(place: str, text: Any) -> int:
    try:
        return bytes_of(str(text))
    except ValueError:
        raise ConfigInvalid(f"{place}: must be a size such as 512Ki or 1Mi") from None


def _checked(model: type[_M], place: str, document: Mapping[str, Any]) -> _M:
    try:
        return model.model_validate(document)
    except ValidationError as error:
        raise ConfigInvalid(f"{place}: {describe(error).replace('Seconds: ', ': ')}") from None
