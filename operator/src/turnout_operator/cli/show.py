"""A decision as text for people and as a document for programs. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from turnout_operator.cli.decisions import Chance, Decision
from turnout_operator.plan.routes import Shadow, Sticky

_KINDS = {"header": "header", "cookie": "cookie", "body": "body field"}


def document(decision: Decision) -> dict[str, Any]:
    """For `-o json`: rule, arm and the like are null where chance decides."""
    route, said = decision.route, decision.answer
    one = decision.chances[0] if len(decision.chances) == 1 else None
    return {
        "policy": {"namespace": route.key.namespace, "name": route.key.name, "version": _version(decision)},
        "confirmed": decision.confirmed,
        "objective": f"{route.key.namespace}/{route.objective}",
        "entity": said.entity,
        "cohort": said.cohort,
        "rule": one and one.rule,
        "arm": one and one.arm,
        "revision": one and one.revision,
        "propensity": one and one.propensity,
        "refused": said.refused,
        "static": asdict(said.static) if said.static else None,
        "chances": [_chance(each) for each in decision.chances],
        "rules": [{"name": step.rule, "decides": step.decides, "why": step.why} for step in decision.steps],
        "assumedReady": list(decision.assumed),
        "notes": list(decision.notes),
    }


def text(decision: Decision) -> str:
    """What a person wants to know first comes first."""
    parts = [_columns(list(_facts(decision)))]
    if len(decision.chances) > 1:
        parts.append(
            _columns([("CHANCE", "ARM", "RULE", "REVISION", "ELSE", "COPIED TO"), *map(_row, decision.chances)])
        )
    if decision.steps:
        words = {True: "yes", False: "no", None: "by chance"}
        told = [(step.rule, words[step.decides], step.why) for step in decision.steps]
        parts.append(_columns([("RULE", "DECIDES", "WHY"), *told]))
    return "\n\n".join([*parts, *(f"note: {note}" for note in decision.notes)])


def _facts(decision: Decision) -> Iterator[tuple[str, str]]:
    route, said = decision.route, decision.answer
    yield "policy", f"{route.key.namespace}/{route.key.name}{_state(decision)}"
    yield "entity", _entity(route.sticky, said.entity, said.cohort)
    if said.refused:
        yield "refused", said.refused
    if len(decision.chances) == 1:
        one = decision.chances[0]
        yield "rule", one.rule or "none: the policy's own split"
        yield "arm", one.arm
        yield "revision", _revision(one)
        yield "propensity", f"{one.propensity:g}"
        if one.ladder:
            yield "else", ", then ".join(one.ladder)
        if one.shadows:
            yield "copied to", ", ".join(map(_shadow, one.shadows))
    if said.static:
        yield "at last", f"the static answer {said.static.decision}"


def _state(decision: Decision) -> str:
    if decision.confirmed is None:
        return ""
    state = "confirmed by all gateways" if decision.confirmed else "NOT YET CONFIRMED by all gateways"
    return f", version {decision.route.version}, {state}"


def _version(decision: Decision) -> str | None:
    """Unknown without the revisions, which are part of it."""
    return None if decision.assumed else decision.route.version


def _entity(sticky: Sticky | None, entity: str | None, cohort: int | None) -> str:
    if sticky is None:
        return "none: the policy has no stickyBy, chance decides"
    where = f"{_KINDS[sticky.kind]} {sticky.name}"
    if entity is None:
        return f"none: the request has no {where}, chance decides"
    return f"{entity} ({where})" + ("" if cohort is None else f", cohort {cohort}")


def _revision(chance: Chance) -> str:
    return chance.revision or "the newest ready one"


def _chance(chance: Chance) -> dict[str, Any]:
    return {
        "share": chance.share,
        "arm": chance.arm,
        "rule": chance.rule,
        "revision": chance.revision,
        "propensity": chance.propensity,
        "ladder": list(chance.ladder),
        "shadows": [
            {"arm": each.arm.name, "percent": each.percent / 100, "maxBodyBytes": each.max_body_bytes}
            for each in chance.shadows
        ],
    }


def _row(chance: Chance) -> tuple[str, ...]:
    copies = ", ".join(each.arm.name for each in chance.shadows) or "-"
    ladder = ", ".join(chance.ladder) or "-"
    return f"{chance.share:.2%}", chance.arm, chance.rule or "-", _revision(chance), ladder, copies


def _shadow(shadow: Shadow) -> str:
    return f"{shadow.arm.name} ({shadow.percent / 100:g} % of those up to {shadow.max_body_bytes} bytes)"


def _columns(rows: Sequence[Sequence[str]]) -> str:
    """Those of the columns that have something to say."""
    columns = [column for column in zip(*rows, strict=True) if any(cell != "-" for cell in column[1:])]
    padded = ([cell.ljust(max(map(len, column))) for cell in column] for column in columns)
    lines = map("  ".join, zip(*padded, strict=True))
    return "\n".join(line.rstrip() for line in lines)
