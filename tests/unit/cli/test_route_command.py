"""`kubectl turnout route` and `kubectl turnout policy test` on files."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from turnout_operator.cli import main

POLICY: dict[str, Any] = {
    "apiVersion": "serving.turnout.dev/v1alpha1",
    "kind": "RoutingPolicy",
    "metadata": {"name": "checkout", "namespace": "shop"},
    "spec": {
        "stickyBy": {"cookie": "customer"},
        "arms": [
            {"name": "main", "modelDeployment": "checkout"},
            {"name": "next", "modelDeployment": "checkout-b", "weight": 10, "revision": "checkout-b-1a2b3c4d"},
        ],
        "rules": [
            {
                "name": "gold",
                "match": {"body": [{"field": "context.tier", "values": ["gold"]}]},
                "arms": [{"name": "next"}],
            },
            {
                "name": "sale",
                "match": {"window": {"start": "2026-12-24T00:00:00Z"}, "query": [{"name": "q", "present": True}]},
                "arms": [{"name": "next"}],
            },
        ],
    },
}

STATIC: dict[str, Any] = {"ladder": [{"static": {"decision": "review", "score": 0.5}}]}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write("policy.yaml", POLICY)
    (tmp_path / "gold.json").write_text('{"context": {"tier": "gold"}}')
    return tmp_path


def write(name: str, *objects: Any) -> None:
    Path(name).write_text(yaml.safe_dump_all(objects))


def route(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> dict[str, Any]:
    assert main(["route", "-f", "policy.yaml", "-o", "json", *arguments]) == code
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main([*arguments]) == 2
    told = capsys.readouterr().err
    assert told.startswith("turnout: ")
    assert told.count("\n") == 1
    return told


@pytest.mark.usefixtures("folder")
def test_a_rule_decides(capsys: pytest.CaptureFixture[str]) -> None:
    said = route(capsys, "--request", "gold.json", "--header", "Cookie=a=b; customer=c-7")
    assert (said["rule"], said["arm"], said["revision"], said["propensity"]) == (
        "gold",
        "next",
        "checkout-b-1a2b3c4d",
        1,
    )
    assert (said["entity"], said["policy"]["version"], said["confirmed"]) == ("c-7", None, None)
    assert said["rules"][0] == {"name": "gold", "decides": True, "why": "body context.tier is gold"}


@pytest.mark.usefixtures("folder")
def test_chances_without_an_entity(capsys: pytest.CaptureFixture[str]) -> None:
    said = route(capsys)
    assert [(each["arm"], each["share"], each["revision"]) for each in said["chances"]] == [
        ("main", 0.9, None),
        ("next", 0.1, "checkout-b-1a2b3c4d"),
    ]
    assert (said["arm"], said["rule"], said["cohort"]) == (None, None, None)


@pytest.mark.usefixtures("folder")
def test_the_time_counts(capsys: pytest.CaptureFixture[str]) -> None:
    for at, rule in (("2026-12-23T23:59:59Z", None), ("2026-12-24T01:00:00+01:00", "sale")):
        said = route(capsys, "--query", "q=1", "--header", "cookie=customer=1", "--at", at)
        assert said["rule"] == rule
        assert said["rules"][1]["why"] == ("query q is present" if rule else "its window is 2026-12-24T00:00:00Z to …")


@pytest.mark.usefixtures("folder")
def test_the_status_of_deployments_counts_when_it_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    meta = {"namespace": "shop"}
    ready = {
        "latestReadyRevision": "checkout-00000001",
        "revisions": [{"name": "checkout-00000001", "readyReplicas": 1}],
    }
    write(
        "policy.yaml",
        POLICY,
        {"kind": "ModelDeployment", "metadata": {"name": "checkout", **meta}, "spec": {}, "status": ready},
        {"kind": "ModelDeployment", "metadata": {"name": "checkout-b", **meta}, "spec": {}, "status": {"replicas": 0}},
    )
    said = route(capsys)
    assert [(each["arm"], each["revision"]) for each in said["chances"]] == [("main", "checkout-00000001")]
    assert "checkout-b has no revision checkout-b-1a2b3c4d" in said["notes"][0]
    assert len(said["policy"]["version"]) == 12


@pytest.mark.usefixtures("folder")
def test_the_cohorts_of_the_status_count(capsys: pytest.CaptureFixture[str]) -> None:
    before = [
        {"name": name, "modelDeployment": "x", "desiredWeight": 50, "cohorts": cohorts}
        for name, cohorts in (("main", "0-8999"), ("next", "9000-9999"))
    ]
    found = (route(capsys, "--header", f"cookie=customer={number}") for number in range(100))
    entity = next(said["entity"] for said in found if said["cohort"] < 1_000)
    assert route(capsys, "--header", f"cookie=customer={entity}")["arm"] == "next"
    write("policy.yaml", {**POLICY, "status": {"arms": before}})
    assert route(capsys, "--header", f"cookie=customer={entity}")["arm"] == "main"


@pytest.mark.usefixtures("folder")
def test_text_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["route", "checkout", "-f", "policy.yaml", "--query", "q=1", "--at", "2026-12-25T00:00:00Z"]) == 0
    assert capsys.readouterr().out == (
        "policy      shop/checkout\n"
        "entity      none: the request has no cookie customer, chance decides\n"
        "rule        sale\n"
        "arm         next\n"
        "revision    checkout-b-1a2b3c4d\n"
        "propensity  1\n"
        "\n"
        "RULE  DECIDES  WHY\n"
        "gold  no       body context.tier is absent (wanted: is gold)\n"
        "sale  yes      query q is present\n"
    )


@pytest.mark.usefixtures("folder")
def test_the_ladder(capsys: pytest.CaptureFixture[str]) -> None:
    ladder = {"ladder": [{"arm": "main"}, {"arm": "spare"}, *STATIC["ladder"]]}
    arms = [*POLICY["spec"]["arms"], {"name": "spare", "modelDeployment": "checkout-c", "weight": 0}]
    write("policy.yaml", {**POLICY, "spec": {**POLICY["spec"], "arms": arms, "fallback": ladder}})
    assert route(capsys)["chances"][0]["ladder"] == ["spare"]
    said = route(capsys, "--request", "gold.json")
    assert (said["chances"][0]["ladder"], said["static"]["decision"]) == (["main", "spare"], "review")
    suite({**GOLD, "expect": {"ladder": ["main", "spare"], "static": "review"}}, {**GOLD, "expect": {"ladder": []}})
    assert main(["policy", "test", "expected.yaml"]) == 1
    assert "ladder is ['main', 'spare'], not []" in capsys.readouterr().out
    assert main(["route", "-f", "policy.yaml", "--request", "gold.json"]) == 0
    assert "else        main, then spare\nat last     the static answer review\n" in capsys.readouterr().out


@pytest.mark.usefixtures("folder")
def test_shadows(capsys: pytest.CaptureFixture[str]) -> None:
    shadows = [{"arm": "main"}, {"arm": "next", "percent": 12.5, "maxBodySize": "1Ki"}]
    write("policy.yaml", {**POLICY, "spec": {**POLICY["spec"], "shadow": shadows}})
    assert route(capsys, "--request", "gold.json")["chances"][0]["shadows"] == [
        {"arm": "main", "percent": 100.0, "maxBodyBytes": 65_536}
    ]
    copied = {each["arm"]: [shadow["arm"] for shadow in each["shadows"]] for each in route(capsys)["chances"]}
    assert copied == {"main": ["next"], "next": ["main"]}
    suite({**GOLD, "expect": {"shadows": ["main"]}}, {**GOLD, "expect": {"shadows": ["next"]}})
    assert main(["policy", "test", "expected.yaml"]) == 1
    assert "shadows is ['main'], not ['next']" in capsys.readouterr().out
    assert main(["route", "-f", "policy.yaml", "--request", "gold.json"]) == 0
    assert "copied to   main (100 % of those up to 65536 bytes)\n" in capsys.readouterr().out


@pytest.mark.usefixtures("folder")
def test_no_arm_is_ready(capsys: pytest.CaptureFixture[str]) -> None:
    deployment = {"kind": "ModelDeployment", "spec": {}, "status": {"replicas": 0}}
    names = [{**deployment, "metadata": {"name": name, "namespace": "shop"}} for name in ("checkout", "checkout-b")]
    write("policy.yaml", POLICY, *names)
    assert route(capsys, code=1)["refused"] == "no arm can answer"
    write("policy.yaml", {**POLICY, "spec": {**POLICY["spec"], "fallback": STATIC}}, *names)
    assert route(capsys)["static"]["decision"] == "review"


@pytest.mark.usefixtures("folder")
def test_a_policy_that_the_operator_refuses(capsys: pytest.CaptureFixture[str]) -> None:
    text = "objective checkout belongs to the older RoutingPolicy first"
    condition = {"type": "Accepted", "status": "False", "reason": "ObjectiveConflict", "message": text}
    condition["lastTransitionTime"] = "2026-01-01T00:00:00Z"
    write("policy.yaml", {**POLICY, "status": {"conditions": [condition]}})
    assert route(capsys)["notes"] == [text]


@pytest.mark.usefixtures("folder")
def test_what_cannot_be_answered(capsys: pytest.CaptureFixture[str]) -> None:
    spec = {**POLICY["spec"], "arms": [{"name": "main", "modelDeployment": "checkout", "weight": 7}]}
    write("bad.yaml", {**POLICY, "spec": spec})
    write("two.yaml", POLICY, {**POLICY, "metadata": {"name": "other"}})
    Path("no.yaml").write_text("{")
    assert "sum to 7.00 percent" in refused(capsys, "route", "-f", "bad.yaml")
    assert "default/other, shop/checkout" in refused(capsys, "route", "-f", "two.yaml")
    assert "no.yaml is not YAML" in refused(capsys, "route", "-f", "no.yaml")
    assert "gone.yaml: No such file" in refused(capsys, "route", "-f", "gone.yaml")
    assert "'x' is not NAME=VALUE" in refused(capsys, "route", "-f", "policy.yaml", "--header", "x")
    assert "no.yaml is not JSON" in refused(capsys, "route", "-f", "policy.yaml", "--request", "no.yaml")
    assert "say which RoutingPolicy" in refused(capsys, "route")


def suite(*cases: dict[str, Any], **more: Any) -> None:
    write("expected.yaml", {"files": ["policy.yaml"], "cases": list(cases), **more})


GOLD = {"name": "gold", "request": {"context": {"tier": "gold"}}, "expect": {"rule": "gold", "arm": "next"}}


@pytest.mark.usefixtures("folder")
def test_expectations_that_hold(capsys: pytest.CaptureFixture[str]) -> None:
    suite(
        GOLD,
        {"expect": {"rule": None, "chances": {"main": 90, "next": 10}}},
        {"query": {"q": "1"}, "at": "2027-01-01T00:00:00Z", "expect": {"rule": "sale"}},
        {"headers": {"Cookie": "customer=c-7"}, "expect": {"entity": "c-7", "rule": None}},
    )
    assert main(["policy", "test", "expected.yaml"]) == 0
    assert capsys.readouterr().out == "4 cases, 0 failed\n"
    assert main(["policy", "test", "-v", "expected.yaml"]) == 0
    assert "ok    expected.yaml: case 2\n" in capsys.readouterr().out


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("expect", "told"),
    [
        ({"arm": "main"}, "arm is left to chance (main 90 %, next 10 %), not main"),
        ({"rule": "gold"}, "rule is left to chance (main 90 %, next 10 %), not gold"),
        ({"chances": {"main": 100}}, "chances are main 90 %, next 10 %"),
        ({"refused": True}, "answered by main 90 %, next 10 %"),
        ({"entity": "c-7"}, "entity is None, not c-7"),
    ],
)
def test_expectations_that_fail(expect: dict[str, Any], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    suite(GOLD, {"name": "mine", "expect": expect})
    assert main(["policy", "test", "expected.yaml"]) == 1
    printed = capsys.readouterr().out
    assert printed.startswith(f"FAIL  expected.yaml: mine\n    {told}\n")
    assert printed.endswith("2 cases, 1 failed\n")


@pytest.mark.usefixtures("folder")
def test_suites_that_are_none(capsys: pytest.CaptureFixture[str]) -> None:
    suite({"expect": {"arn": "main"}})
    assert "cases.0.expect.arn: Extra inputs" in refused(capsys, "policy", "test", "expected.yaml")
    suite(GOLD, files=["gone.yaml"])
    assert "gone.yaml" in refused(capsys, "policy", "test", "expected.yaml")
    suite(GOLD, policy="other")
    assert "RoutingPolicy other is not there (found: shop/checkout)" in refused(
        capsys, "policy", "test", "expected.yaml"
    )
