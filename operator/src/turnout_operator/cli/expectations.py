"""Files of expected decisions, and whether a decision is as expected. Pure."""

from typing import Annotated, Any

import yaml
from pydantic import AwareDatetime, Field, ValidationError

from turnout_operator.api.meta import SpecModel
from turnout_operator.cli.decisions import Decision
from turnout_operator.cli.errors import CommandError, invalid
from turnout_operator.cli.show import document
from turnout_operator.plan.explain import Request

_TOLERANCE = 0.005  # percent


class Expect(SpecModel):
    """What is to come of a case; what isn't given isn't compared. `rule: null` is the policy's own split."""

    rule: str | None = None
    arm: str | None = None
    revision: str | None = None
    entity: str | None = None
    cohort: int | None = None
    refused: bool = False
    chances: dict[str, float] | None = None
    """Percent of each arm, where no entity decides."""
    ladder: list[str] | None = None
    """The arms that are asked in turn when the chosen one can't answer."""
    shadows: list[str] | None = None
    """The arms that get copies."""
    static: str | None = None
    """The decision of the static answer at the end of the ladder; null where there is none."""


class Case(SpecModel):
    """A request and what is to come of it."""

    name: str | None = None
    request: Any = None
    """The JSON body."""
    headers: dict[str, str] = Field(default_factory=dict)
    query: dict[str, str] = Field(default_factory=dict)
    at: Annotated[AwareDatetime, Field(strict=False)] | None = None
    expect: Expect

    def asked(self) -> Request:
        """The request that is meant."""
        return Request({name.lower(): text for name, text in self.headers.items()}, self.query, self.request)


class Suite(SpecModel):
    """A file of cases about one policy."""

    policy: str | None = None
    """Its name; needless where there is only one."""
    files: list[str] = Field(default_factory=list)
    """Policies and ModelDeployments, relative to this file."""
    cases: list[Case] = Field(min_length=1)


def read(path: str) -> Suite:
    """Raises `CommandError` for a file that isn't one of cases."""
    with open(path, encoding="utf-8") as file:
        try:
            return Suite.model_validate(yaml.safe_load(file))
        except yaml.YAMLError as error:
            raise CommandError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
        except ValidationError as error:
            raise invalid(path, error) from None


def differences(expect: Expect, decision: Decision) -> list[str]:
    """What is not as expected, in words; empty when all is."""
    said = document(decision)
    if bool(said["refused"]) != expect.refused:
        return [f"refused: {said['refused']}" if said["refused"] else f"answered by {_arms(decision)}"]
    one = decision.chances[0] if len(decision.chances) == 1 else None
    said["ladder"] = [*one.ladder] if one else None
    said["shadows"] = [each.arm.name for each in one.shadows] if one else None
    said["static"] = said["static"] and said["static"]["decision"]
    names = expect.model_fields_set - {"refused", "chances"}
    found = [_different(name, getattr(expect, name), said[name], decision) for name in sorted(names)]
    if expect.chances is not None and not _alike(expect.chances, decision):
        found.append(f"chances are {_arms(decision)}")
    return [each for each in found if each]


def _different(name: str, wanted: Any, got: Any, decision: Decision) -> str | None:
    if name in ("rule", "arm", "revision") and len(decision.chances) > 1:
        values = {getattr(each, name) for each in decision.chances}
        return None if values == {wanted} else f"{name} is left to chance ({_arms(decision)}), not {wanted}"
    return None if wanted == got else f"{name} is {got}, not {wanted}"


def _alike(wanted: dict[str, float], decision: Decision) -> bool:
    got = _percent(decision)
    return wanted.keys() == got.keys() and all(abs(wanted[arm] - got[arm]) < _TOLERANCE for arm in got)


def _percent(decision: Decision) -> dict[str, float]:
    percent: dict[str, float] = {}
    for each in decision.chances:
        percent[each.arm] = percent.get(each.arm, 0) + 100 * each.share
    return percent


def _arms(decision: Decision) -> str:
    return ", ".join(f"{arm} {percent:g} %" for arm, percent in _percent(decision).items())
