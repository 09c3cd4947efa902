"""The condition LogDelivering: what pods' metrics say in a row becomes a word, a status and a remedy."""

from pathlib import Path

import pytest
from tests.unit.plan.builders import NOW, deployment, model_deployment

from turnout_operator.api.prediction_log import PredictionLog
from turnout_operator.plan.conditions import find
from turnout_operator.plan.decision import Observed
from turnout_operator.plan.log_delivery import judge
from turnout_operator.plan.log_state import RUNTIME_NAMES, SHIPPER_NAMES, PodLog
from turnout_operator.plan.model_deployment import decide
from turnout_operator.plan.revision import Revision
from turnout_operator.plan.samples import parse
from turnout_operator.plan.settings import PlanSettings
from turnout_operator.plan.workload import config_map
from turnout_runtime.ship.backlog import Backlog
from turnout_runtime.ship.counts import SinkCounts
from turnout_runtime.ship.metrics import ShipMetrics
from turnout_runtime.ship.plan import Sinks
from turnout_runtime.ship.progress import ProgressFiles

SETTINGS = PlanSettings(runtime_image="runtime:1")
LOG = PredictionLog.model_validate({"sinks": [{"name": "lake", "stdout": {}}, {"name": "disk", "stdout": {}}]})
NAMES = {*RUNTIME_NAMES, *SHIPPER_NAMES}
SILENT = None


def runtime(**dropped):
    return parse("".join(f'turnout_log_dropped_total{{reason="{r}"}} {n}.0\n' for r, n in dropped.items()), NAMES)


def shipper(rejected=0, **sinks):
    """Samples of sinks: name=(up, lag, pending)."""
    lines = [f"turnout_log_rejected_segments_total {rejected}.0"]
    for name, (up, lag, pending) in sinks.items():
        lines += [
            f'turnout_log_sink_up{{sink="{name}"}} {up}',
            f'turnout_log_lag_seconds{{sink="{name}"}} {lag}',
            f'turnout_log_pending_bytes{{sink="{name}"}} {pending}',
        ]
    return parse("\n".join(lines), NAMES)


WELL = shipper(lake=(1, 30, 1000), disk=(1, 0.5, 0))
DOWN = shipper(lake=(0, 100, 80 * 1024**2), disk=(1, 0.5, 0))


def pod(*scrapes, name="p-1", ships=True, start=0.0):
    """A pod after scrapes, 15 s apart: each is (runtime, shipper)."""
    state = PodLog(name, ships=ships)
    for number, (of_runtime, of_shipper) in enumerate(scrapes):
        state = state.after(start + 15.0 * number, of_runtime, of_shipper)
    return state


def said(*pods, log=LOG, now=60.0):
    seen = judge(log, pods, now)
    return seen.verdict.status, seen.verdict.reason, seen.verdict.message


def test_all_is_well():
    fine = pod((runtime(), WELL))
    assert said(fine, fine) == ("True", "Delivering", "2 pods to lake, disk")
    assert judge(LOG, [fine], 0.0).lag == "<2m"


def test_without_sinks_the_log_stays_in_the_pods():
    alone = pod((runtime(disk_full=0), ()), ships=False)
    assert said(alone, log=PredictionLog())[:2] == ("True", "Delivering")
    assert judge(PredictionLog(), [alone], 0.0).lag is None


def test_a_sink_that_is_down_twice_in_a_row_is_unavailable_and_no_sooner():
    fine, once = pod((runtime(), WELL)), pod((runtime(), WELL), (runtime(), DOWN))
    assert said(fine, once)[1] == "Delivering"
    blinks = pod((runtime(), DOWN), (runtime(), WELL), (runtime(), DOWN))
    assert said(blinks)[1] == "Delivering"
    down = pod((runtime(), WELL), (runtime(), DOWN), (runtime(), DOWN), name="p-2")
    assert said(fine, down, down, down) == (
        "False",
        "SinkUnavailable",
        "sink lake of 3 of 4 pods: lag under 2 min, 10 % of 512 MiB waiting: see `kubectl logs p-2 -c log`",
    )


@pytest.mark.parametrize(
    ("lag", "words", "column"),
    [
        (119, None, "<2m"),
        (170, None, "<5m"),
        (181, "over 2 min", "<5m"),
        (900, "over 15 min", "<30m"),
        (4000, "over 1 h", "<2h"),
        (90_000, "over 1 d", "<2d"),
        (10_000_000, "over 7 d", ">7d"),
    ],
)
def test_a_sink_that_is_far_behind_is_unavailable_though_it_says_that_it_is_up(lag, words, column):
    behind = pod((runtime(), shipper(lake=(1, lag, 0))))
    assert judge(LOG, [behind], 0.0).lag == column
    _, reason, message = said(behind)
    assert (reason == "SinkUnavailable") is (words is not None)
    assert words is None or f"lag {words}, less than 10 % of 512 MiB waiting" in message


def test_what_is_usual_depends_on_how_long_files_are_written_to():
    slow = PredictionLog.model_validate({"rotate": {"age": "10m"}, "sinks": [{"name": "lake", "stdout": {}}]})
    behind = pod((runtime(), shipper(lake=(1, 1190, 0))))
    assert judge(slow, [behind], 0.0).lag == "<20m"
    assert said(behind, log=slow)[1] == "Delivering"


def test_rows_that_are_lost_are_told_for_five_minutes_in_powers_of_ten():
    lossy = pod((runtime(disk_bound=5), WELL), (runtime(disk_bound=1239, disk_full=0), WELL))
    assert said(lossy, pod((runtime(), WELL)), now=300.0) == (
        "False",
        "DroppingRecords",
        "at least 1,000 rows lost in 5 minutes in 1 of 2 pods (disk_bound): the sinks take less than is logged, and"
        " predictionLog.rotate bounds what waits for them",
    )
    assert said(lossy, now=316.0)[1] == "Delivering"


def test_what_was_lost_before_anybody_looked_is_no_news_but_a_new_container_counts_from_nothing():
    assert said(pod((runtime(disk_full=7), WELL)))[1] == "Delivering"
    again = pod((runtime(disk_full=7), WELL), (runtime(disk_full=3), WELL))
    assert said(again)[2].startswith("at least 1 rows lost in 5 minutes in 1 of 1 pods (disk_full)")


def test_files_that_cannot_be_delivered_are_lost_too():
    assert "at least 1 files lost" in said(pod((runtime(), WELL), (runtime(), shipper(rejected=2))))[2]


def failing(**reasons):
    lines = [f'turnout_log_sink_failures_total{{sink="lake",reason="{r}"}} {n}' for r, n in reasons.items()]
    return (*DOWN, *parse("\n".join(lines), NAMES))


def test_the_newest_reason_of_a_sinks_failures_is_told():
    lasting = pod((runtime(), failing(unreachable=9)), (runtime(), failing(unreachable=9)))
    assert "sink lake of 1 of 1 pods: unreachable, lag" in said(lasting)[2]
    changed = pod((runtime(), failing(unreachable=9, refused=0)), (runtime(), failing(unreachable=9, refused=1)))
    assert "sink lake of 1 of 1 pods: credentials or rights refused, lag" in said(changed)[2]
    odd = pod(*[(runtime(), failing(**{"new word": 1}))] * 2)
    assert "sink lake of 1 of 1 pods: lag" in said(odd)[2]


def test_rows_that_a_sink_will_never_take_are_lost():
    refusing = parse('turnout_log_refused_rows_total{sink="lake"} 3', NAMES)
    lost = pod((runtime(), WELL), (runtime(), (*WELL, *refusing)))
    assert "at least 1 rows lost in 5 minutes in 1 of 1 pods (refused by lake)" in said(lost)[2]


def test_the_names_are_those_of_the_metrics(tmp_path):
    def names(collector):
        return {sample.name for metric in collector.collect() for sample in metric.samples}

    counts = {"lake": SinkCounts()}
    counts["lake"].failed("timeout", "")
    shipped = ShipMetrics(Backlog(tmp_path, Sinks(["lake"], []), ProgressFiles(tmp_path)), counts)
    assert set(SHIPPER_NAMES) <= names(shipped)
    page = (Path(__file__).parents[3] / "docs" / "metrics.md").read_text()
    assert [name for name in RUNTIME_NAMES if f"`{name}`" not in page] == []


def test_losses_come_first_and_the_sink_behind_them_is_named():
    both = pod((runtime(), DOWN), (runtime(disk_bound=10), DOWN))
    _, reason, message = said(both)
    assert reason == "DroppingRecords"
    assert "; sink lake of 1 of 1 pods: " in message


def test_a_container_that_does_not_answer_is_unavailable():
    mute = pod(*[(runtime(), SILENT)] * 3)
    assert said(mute)[1:] == (
        "SinkUnavailable", "the container log of 1 of 1 pods does not answer: see `kubectl logs p-1 -c log`"
    )  # fmt: skip
    assert said(pod(*[(runtime(), SILENT)] * 2))[1] == "Delivering"


def test_pods_that_nobody_can_ask_are_unknown_unless_others_are_in_trouble():
    lost = pod(*[(SILENT, SILENT)] * 3)
    fine = pod((runtime(), WELL))
    status, reason, message = said(fine, lost)
    assert (status, reason) == ("Unknown", "NotObserved")
    assert "1 of 2 ready pods, p-1 among them" in message
    assert said(pod(*[(runtime(), DOWN)] * 2), lost)[1] == "SinkUnavailable"
    assert judge(LOG, [pod((SILENT, SILENT))], 0.0) is None
    assert judge(LOG, [], 0.0) is None


def test_small_changes_of_the_figures_change_no_word():
    seen = {
        judge(LOG, [pod(*[(runtime(), shipper(lake=(0, lag, pending)))] * 2)], 60.0)
        for lag, pending in ((400, 60e6), (500, 70e6), (700, 100e6))
    }
    assert len(seen) == 1


def test_garbage_is_an_error_and_other_metrics_are_not_read():
    text = '# TYPE a counter\na_total 1\nturnout_log_sink_up{sink="a b"} 1.0\nnot a metric{\n'
    assert [(s.labels, s.value) for s in parse(text, NAMES)] == [({"sink": "a b"}, 1.0)]
    with pytest.raises(ValueError, match=r"."):
        parse("turnout_log_sink_up{sink= 1\n", NAMES)


def status(spec, seen=None, before=None):
    md = model_deployment(status=before, predictionLog=spec)
    made = Revision.wanted(md, SETTINGS)
    record = {"metadata": {"namespace": "ns", "name": made.name, "labels": made.labels, "creationTimestamp": NOW}}
    observed = Observed(
        {made.name: record | config_map(made, SETTINGS)}, {made.name: deployment(made.name, 1)}, log=seen
    )
    return decide(md, observed, SETTINGS, NOW).status


SINKS = {"sinks": [{"name": "lake", "stdout": {}}]}


def test_trouble_with_the_log_is_told_beside_ready_which_stays():
    seen = judge(LOG, [pod(*[(runtime(), DOWN)] * 2)], 60.0)
    found = status(SINKS, seen)
    assert [each["type"] for each in found["conditions"]][-2:] == ["LogDelivering", "Ready"]
    assert find(found["conditions"], "LogDelivering")["reason"] == "SinkUnavailable"
    assert find(found["conditions"], "Ready")["status"] == "True"
    assert found["logLag"] == "<2m"
    again = status(SINKS, None, found)
    assert again == found


def test_a_log_that_is_off_has_no_condition():
    assert find(status({"enabled": False})["conditions"], "LogDelivering") == {}
    assert "logLag" not in status({})
    assert find(status({})["conditions"], "LogDelivering")["reason"] == "NotObserved"
