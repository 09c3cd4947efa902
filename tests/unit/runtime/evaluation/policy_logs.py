"""Orders that two arms review from different amounts on, and what that earned: the truth is known."""

import random
from pathlib import Path
from typing import Any

from tests.unit.runtime.builders import write_bundle
from tests.unit.runtime.evaluation.evaluation_logs import log, record

WORKFLOW = """
from turnout_runtime import Decision, Workflow

class Made(Workflow):
    def predict(self, ctx, features):
        return ctx.request.context["amount"]

    def decide(self, ctx, score):
        return Decision("review" if score >= LIMIT else "accept", score, 1.0)
"""
LIMITS = {"stable": 0.6, "challenger": 0.4}


def bundle(folder: Path, limit: float) -> Path:
    return write_bundle(folder, workflow_py=WORKFLOW.replace("LIMIT", str(limit)).encode())


def reward(decision: str, amount: float) -> float:
    """A review costs 0.5; accepting costs the more the larger the amount is."""
    return -0.5 if decision == "review" else -amount


def rows(count: int, seed: int = 1, challenger: float = 0.3) -> list[dict[str, Any]]:
    chance, made = random.Random(seed), []
    for number in range(count):
        arm, amount = ("challenger" if chance.random() < challenger else "stable"), chance.random()
        decision = "review" if amount >= LIMITS[arm] else "accept"
        propensity = challenger if arm == "challenger" else 1 - challenger
        fields = {"arm": arm, "propensity": propensity, "decision": decision, "score": amount}
        made.append(record(number, context={"amount": amount}, **fields))
    return made


def write(folder: Path, made: list[dict[str, Any]]) -> None:
    log(folder / "log", made)
    lines = ["prediction_id,reward\n"]
    lines += [f"{row['prediction_id']},{reward(row['decision'], row['context']['amount'])}\n" for row in made[10:]]
    (folder / "rewards.csv").write_text("".join(lines))
