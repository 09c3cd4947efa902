"""Copies of requests in Envoy's words.

Every shadow arm of a policy has a cluster of its own, so that one that is slow or dead fills its own limits and no one
else's. A route mirrors for all its arms alike: where one of them is the shadow itself, the arms' own request headers
say who is copied to where. Envoy slows a request down for a copy that it can't get rid of, once its buffers are full:
so there are only copies of bodies that fit in.
"""

from collections.abc import Sequence
from pathlib import PurePosixPath

from turnout_operator.plan.branches import Share
from turnout_operator.plan.routes import TOTAL_WEIGHT, PolicyRoute, Shadow
from turnout_operator.plan.shadows import copied_to
from turnout_operator.xds.render import JsonMap, literal, set_header
from turnout_operator.xds.render.cluster import cluster

_BUFFER_BYTES = 2 * 1024 * 1024
"""More than the largest body that a policy may ask to be copied."""


def shadow_name(policy: PolicyRoute, shadow: Shadow) -> str:
    """The cluster of a shadow arm of this policy; it never changes its revision."""
    return f"{policy.key.namespace}/{policy.objective}/shadow/{shadow.arm.name}/{shadow.arm.revision}"


def shadow_cluster(name: str, max_concurrent: int, sds_directory: PurePosixPath | None) -> dict[str, object]:
    """An arm's cluster with hard limits; what is beyond is counted as upstream_rq_pending_overflow."""
    limits = dict.fromkeys(("max_connections", "max_pending_requests", "max_requests"), max_concurrent)
    own: JsonMap = {"thresholds": [limits]}
    return {
        **cluster(name, sds_directory),
        "circuit_breakers": own,
        "per_connection_buffer_limit_bytes": _BUFFER_BYTES,
    }


def by_size(policy: PolicyRoute, shares: Sequence[Share]) -> list[tuple[tuple[JsonMap, ...], tuple[Shadow, ...]]]:
    """Header matchers, in the order of their routes, and the shadows of requests that fulfil them; the last ones get
    none. A body whose size isn't known beforehand may be too large."""
    found = [each for each in policy.shadows if any(each in copied_to(policy, share.arm) for share in shares)]
    routes: list[tuple[tuple[JsonMap, ...], tuple[Shadow, ...]]] = [
        ((_at_most(size),), tuple(each for each in found if each.max_body_bytes >= size))
        for size in sorted({each.max_body_bytes for each in found})
    ]
    return [*routes, ((), ())]


def mirrors(policy: PolicyRoute, shadows: Sequence[Shadow], shares: Sequence[Share]) -> list[JsonMap]:
    """The mirror policies of a route to these shares."""
    return [_mirror(policy, each, shares) for each in shadows]


def marks(policy: PolicyRoute, shadows: Sequence[Shadow], share: Share, shares: Sequence[Share]) -> list[JsonMap]:
    """Request headers of a share: where its requests are copied to, if not all of the route's are."""
    chosen = [each for each in shadows if not _all(policy, each, shares) and each in copied_to(policy, share.arm)]
    return [set_header(_target(policy, each), shadow_name(policy, each)) for each in chosen]


def _mirror(policy: PolicyRoute, shadow: Shadow, shares: Sequence[Share]) -> JsonMap:
    target = _target(policy, shadow)
    everywhere = _all(policy, shadow, shares)
    to = {"cluster": shadow_name(policy, shadow)} if everywhere else {"cluster_header": target}
    said = {
        "x-turnout-shadow": "true",
        "x-turnout-arm": literal(shadow.arm.name),
        "x-turnout-propensity": f"{shadow.percent / TOTAL_WEIGHT:g}",
    }
    hidden = [{"remove": _target(policy, each)} for each in policy.shadows if not _all(policy, each, shares)]
    return {
        **to,
        "runtime_fraction": {"default_value": {"numerator": shadow.percent, "denominator": "TEN_THOUSAND"}},
        "disable_shadow_host_suffix_append": True,
        "request_headers_mutations": [*({"append": set_header(*each)} for each in said.items()), *hidden],
    }


def _all(policy: PolicyRoute, shadow: Shadow, shares: Sequence[Share]) -> bool:
    return all(shadow in copied_to(policy, share.arm) for share in shares)


def _target(policy: PolicyRoute, shadow: Shadow) -> str:
    return f"x-turnout-copy-{policy.shadows.index(shadow)}"


def _at_most(size: int) -> JsonMap:
    return {"name": "content-length", "range_match": {"start": 0, "end": size + 1}}
