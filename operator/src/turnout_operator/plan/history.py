"""Which revisions there are, and which of them are old enough to go."""

import contextlib
from collections.abc import Mapping

from turnout_operator.plan.decision import Object
from turnout_operator.plan.revision import Revision


def readable(config_maps: Mapping[str, Object]) -> dict[str, Revision]:
    """The stored revisions. One that another version of the operator wrote and this one can't read is left as it is."""
    revisions = {}
    for name, config_map in config_maps.items():
        with contextlib.suppress(ValueError, KeyError):
            revisions[name] = Revision.stored(dict(config_map))
    return revisions


def keep(
    revisions: Mapping[str, Revision], active: set[str | None], history: int
) -> tuple[list[Revision], tuple[str, ...]]:
    """Active revisions and the newest `history` retired ones, oldest first; and the names of the rest."""
    ordered = sorted(revisions.values(), key=lambda revision: (revision.created_at or "9", revision.name))
    retired = [revision.name for revision in ordered if revision.name not in active]
    pruned = tuple(retired[: max(0, len(retired) - history)])
    return [revision for revision in ordered if revision.name not in pruned], pruned
