"""Where policies and ModelDeployments come from: files, or the cluster."""

import asyncio
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from turnout_operator.cli.errors import CommandError

Object = dict[str, Any]
_KINDS = ("RoutingPolicy", "ModelDeployment")


@dataclass(frozen=True, slots=True)
class Objects:
    """What is known, by namespace and name. `live`: as the cluster has it, so that what is missing doesn't exist."""

    policies: Mapping[tuple[str, str], Object]
    deployments: Mapping[tuple[str, str], Object]
    live: bool

    def policy(self, name: str | None, namespace: str | None = None) -> Object:
        """The policy of that name, or the only one."""
        keys = [key for key in self.policies if name in (None, key[1]) and namespace in (None, key[0])]
        if len(keys) == 1:
            return self.policies[keys[0]]
        known = ", ".join("/".join(key) for key in sorted(self.policies)) or "none"
        wanted = "RoutingPolicy" if name is None else f"RoutingPolicy {name}"
        problem = "is not there" if not keys else "could be several: say which by name and namespace"
        raise CommandError(f"{wanted} {problem} (found: {known})")


def from_files(paths: Iterable[str], namespace: str | None = None) -> Objects:
    """The objects of YAML or JSON files; `-` is stdin. Those without a namespace are of `namespace`, else default."""
    found: dict[str, dict[tuple[str, str], Object]] = {kind: {} for kind in _KINDS}
    for path in paths:
        for each in _documents(path):
            if each.get("kind") in found:
                key = _place(each, path, namespace or "default")
                found[each["kind"]][key] = each
    return Objects(found["RoutingPolicy"], found["ModelDeployment"], live=False)


def from_cluster(name: str, namespace: str | None, context: str | None) -> Objects:
    """The policy of that name and its namespace's ModelDeployments."""
    return asyncio.run(_fetch(name, namespace, context))


def _documents(path: str) -> Iterator[Object]:
    try:
        text = sys.stdin.read() if path == "-" else _read(path)
        documents = [each for each in yaml.safe_load_all(text) if each is not None]
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise CommandError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    for each in documents:
        if not isinstance(each, dict):
            raise CommandError(f"{path} holds something that is no Kubernetes object")
        yield from each.get("items") or () if each.get("kind") == "List" else (each,)


def _read(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read()


def _place(each: Object, path: str, namespace: str) -> tuple[str, str]:
    meta = each.get("metadata")
    if not isinstance(meta, dict) or not meta.get("name") or not isinstance(each.get("spec"), dict):
        raise CommandError(f"{path}: a {each['kind']} lacks metadata.name or spec")
    meta["namespace"] = meta.get("namespace") or namespace
    return meta["namespace"], meta["name"]


async def _fetch(name: str, namespace: str | None, context: str | None) -> Objects:
    from aiohttp import ClientError
    from kubernetes.aio.config import ConfigException

    from turnout_operator.kube.client import Client
    from turnout_operator.kube.errors import ApiError, NotFound
    from turnout_operator.kube.resources import MODEL_DEPLOYMENTS, ROUTING_POLICIES

    try:
        client = await Client.connect(context)
    except ConfigException as error:
        raise CommandError(f"no cluster: {error}; give files by -f, or set KUBECONFIG") from None
    space = namespace or Client.namespace(context)
    try:
        policy = await client.request("GET", ROUTING_POLICIES.path(space, name))
        listed = await client.request("GET", MODEL_DEPLOYMENTS.path(space))
    except NotFound:
        raise CommandError(f"there is no RoutingPolicy {name} in namespace {space}: `kubectl get rp -A`") from None
    except (ApiError, ClientError, TimeoutError) as error:
        raise CommandError(f"the API server: {error}") from None
    finally:
        await client.close()
    deployments = {(space, each["metadata"]["name"]): each for each in listed["items"]}
    return Objects({(space, name): policy}, deployments, live=True)
