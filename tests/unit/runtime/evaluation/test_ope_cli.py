"""`turnout ope` over logs with rewards, and when it refuses."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
from tests.unit.runtime.analysis.test_log_feedback import write_feedback
from tests.unit.runtime.evaluation.policy_logs import LIMITS, bundle, reward, rows, write

from turnout_runtime.cli import main


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Bundles of two arms and of a candidate between them, their log, and its rewards."""
    for arm, limit in LIMITS.items():
        bundle(tmp_path / arm, limit)
    bundle(tmp_path / "candidate", 0.5)
    write(tmp_path, rows(4000))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def ope(*options: str, code: int = 0) -> None:
    assert main(["ope", "--log", "log", "--rewards", "rewards.csv", *options]) == code


def found(capsys: pytest.CaptureFixture[str], *options: str) -> dict[str, Any]:
    ope("--json", *options)
    read: dict[str, Any] = json.loads(capsys.readouterr().out)
    return read


def true_value(limit: float) -> float:
    """Of a policy that reviews from a limit on, amounts being uniform."""
    return -limit * limit / 2 - 0.5 * (1 - limit)


def covers(estimate: dict[str, Any], value: float) -> bool:
    (low, high), (other, largest) = estimate["normal"], estimate["bootstrap"]
    return bool(low <= value <= high and other <= value <= largest)


@pytest.mark.parametrize(
    ("options", "limits"),
    [
        (["--always", "challenger"], {0.4: 1.0}),
        (["--always", "stable"], {0.6: 1.0}),
        (["--weights", "stable=20,challenger=80"], {0.6: 0.2, 0.4: 0.8}),
        (["--weights", "stable=0.5, challenger=0.5"], {0.6: 0.5, 0.4: 0.5}),
        (
            ["--bundle", "candidate", "--arm", "stable=stable", "--arm", "challenger=challenger"],
            {0.5: 1.0},
        ),
    ],
)
def test_the_truth_is_within_the_intervals(
    folder: Path, capsys: pytest.CaptureFixture[str], options: list[str], limits: dict[float, float]
) -> None:
    result = found(capsys, *options)
    exact = sum(share * true_value(limit) for limit, share in limits.items())
    for kind in ("ips", "snips", "dr"):
        assert covers(result["estimates"][kind], exact), kind
    assert result["dropped"] == {"without a reward": 10}
    assert result["overlap"]["mean_weight"] == pytest.approx(1, abs=0.1)


def test_rewards_may_be_feedback_in_the_log(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    by_table = found(capsys, "--always", "stable")
    said = [line.split(",") for line in (folder / "rewards.csv").read_text().split()[1:]]
    for start in range(0, len(said), 1000):
        outcomes = [{"prediction_id": key, "reward": float(value)} for key, value in said[start : start + 1000]]
        name = f"feedback-20260101T000000000Z-1-{start + 1}.jsonl"
        write_feedback(folder / "log", *outcomes, objective="orders", name=name)
    assert main(["ope", "--log", "log", "--always", "stable", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == by_table
    assert main(["ope", "--log", "log", "--always", "stable", "--reward", "profit"]) == 1
    assert "feedback has reward and label, and no 'profit'" in capsys.readouterr().err


def test_a_table_for_people(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ope("--weights", "stable=50,challenger=50")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "stable=50,challenger=50: 3,990 requests of 3,990 entities"
    assert lines[1] == "left out 10: without a reward"
    estimates = [line.split("  ")[0] for line in lines if " to " in line and not line.startswith("they")]
    assert estimates == ["as logged", "IPS", "SNIPS", "DR", "DR - as logged"]


def test_a_supplied_model(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A perfect one leaves nothing to luck but the amounts."""
    lines = ["prediction_id,reward,predicted_stable,predicted_challenger\n"]
    for row in rows(4000):
        amount = row["context"]["amount"]
        each = [reward("review" if amount >= LIMITS[arm] else "accept", amount) for arm in ("stable", "challenger")]
        lines.append(f"{row['prediction_id']},{reward(row['decision'], amount)},{each[0]},{each[1]}\n")
    means = found(capsys, "--always", "challenger")
    Path("rewards.csv").write_text("".join(lines))
    model = found(capsys, "--always", "challenger")
    assert model["model"] == "the predicted_ columns of the rewards"
    widths = [high - low for low, high in (one["estimates"]["dr"]["normal"] for one in (means, model))]
    assert widths[1] < 0.7 * widths[0]
    assert covers(model["estimates"]["dr"], true_value(0.4))


def test_too_little_overlap_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ope("--always", "third", code=1)
    assert "the policy takes 'third' in 100 % of the requests, and the log has no reward" in capsys.readouterr().err
    ope("--always", "challenger", "--where", "context.amount<0.01", code=1)
    assert "are needed: log about" in capsys.readouterr().err
    bundle(folder / "odd", 0.1)
    arms = [f"--arm={arm}={arm}" for arm in LIMITS]
    ope("--bundle", "odd", *arms, code=1)
    assert "of the requests the candidate decides what no arm would have decided" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--weights", "stable"], "write ARM=WEIGHT"),
        (["--weights", "stable=30,challenger=30"], "they add up to 60: make them 100 (or 1)"),
        (["--weights", "stable=-1,challenger=2"], "a weight is 0 or more"),
        (
            ["--always", "stable", "--reward", "profit"],
            "no column 'profit'; there are prediction_id, reward",
        ),
        (["--always", "stable", "--rewards", "none.csv"], "--rewards none.csv: no such file"),
        (
            ["--always", "stable", "--where", "arm=x"],
            "no record has an action, its propensity and a reward (there",
        ),
        (["--bundle", "candidate"], "give each arm's bundle (--arm stable=DIR), or --propensity FIELD"),
        (["--bundle", "candidate", "--arm", "stable=stable"], "requests of arm 'challenger': give its bundle"),
        (
            ["--bundle", "candidate", "--arm", "stable=challenger", "--arm", "challenger=stable"],
            "the arm's bundle decides something else than the log says",
        ),
        (
            ["--bundle", "candidate", "--arm", "stable=stable", "--where", "arm=stable"],
            "policy version 7: the arms of the log (stable) have 70 % of the traffic",
        ),
        (["--bundle", "candidate", "--propensity", "details.chance"], "3,990 without a details.chance above 0"),
    ],
)
def test_what_cannot_be_evaluated(
    folder: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    ope(*options, code=1)
    told = capsys.readouterr().err
    assert message in told
    assert told.count("\n") == 1


def test_a_workflow_that_draws_its_decisions_itself(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chance, made = random.Random(4), []
    for row in rows(3000):
        decision, share = ("review", 0.25) if chance.random() < 0.25 else ("accept", 0.75)
        made.append({**row, "decision": decision, "details": {"chance": share}})
    write(folder, made)
    result = found(capsys, "--bundle", "candidate", "--propensity", "details.chance")
    assert covers(result["estimates"]["snips"], true_value(0.5))


def test_an_arm_without_traffic_is_no_support(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It could not have been drawn, whatever it decides."""
    bundle(folder / "third", 0.1)
    arms = [f"--arm={arm}={arm}" for arm in (*LIMITS, "third")]
    ope("--bundle", "third", *arms, code=1)
    assert "of the requests the candidate decides what no arm would have decided" in capsys.readouterr().err
