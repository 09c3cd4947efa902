"""The pure parts of the runtime's benchmark: /proc, statistics, wrk's summary, and what its sections judge by."""

import json
import os

import numpy as np
import pytest
from benchmarks.harness import proc
from benchmarks.harness.outcomes import Ledger
from benchmarks.harness.stats import growth, median_of, median_ratio
from benchmarks.harness.wrk import Burst, burst, summary
from benchmarks.report import at_least
from benchmarks.runtime.sections import batching, faults, overload, startup, throughput
from benchmarks.runtime.workload.fraud import WIDTH, features
from benchmarks.runtime.workload.requests import enveloped, payments

STAT = "42 (a) (b c) S 7 42 42 0 -1 4194560 100 0 0 0 250 150 9 9 20 0 1 0 123456 1000000 2048 18446744073709551615"
SUMMARY = {"requests": 1000, "microseconds": 2_000_000, "p50": 500.0, "p99": 2500.0, "refused": 100, "broken": 2}


def stat(pid: int, parent: int, cpu: float = 0.0) -> proc.Stat:
    return proc.Stat(pid, parent, cpu, started=0, resident=100)


def test_a_stat_line_is_read_whatever_the_name_has_in_it():
    read = proc.parse(STAT)
    assert (read.pid, read.parent, read.started) == (42, 7, 123456)
    assert read.cpu == 400 / proc.TICKS
    assert read.resident == 2048 * proc.PAGE


def test_this_process_is_in_the_table_and_of_its_parents_family():
    table = proc.table()
    assert os.getpid() in {member.pid for member in proc.family(os.getppid(), table)}
    assert table[os.getpid()].resident > 2**20


def test_a_family_is_all_descendants_and_nobody_else():
    table = {pid: stat(pid, parent) for pid, parent in [(1, 0), (2, 1), (3, 2), (4, 1), (5, 9), (9, 0)]}
    assert [member.pid for member in proc.family(1, table)] == [1, 2, 4, 3]
    assert proc.family(77, table) == []
    assert proc.resident(proc.family(2, table)) == 200


def test_cpu_spent_counts_those_that_came_meanwhile():
    assert proc.spent([stat(1, 0, 2.0), stat(2, 1, 5.0)], [stat(1, 0, 3.0), stat(3, 1, 0.5)]) == 1.5


def test_the_machines_work_leaves_out_idling_and_waiting():
    text = "cpu  100 10 50 99999 8888 4 6 30 0 0\ncpu0 1 1 1 1"
    assert proc.machine_cpu(text) == 170 / proc.TICKS


def test_a_median_leaves_out_what_is_missing():
    assert median_of([3.0, None, 1.0, 2.0]) == 2.0
    assert median_of([None]) is None


def test_ratios_are_taken_within_a_round():
    assert median_ratio([10.0, 40.0, 90.0], [5.0, 10.0, 30.0]) == 3.0
    assert median_ratio([10.0, None], [5.0, 1.0]) == 2.0
    assert median_ratio([1.0], [None]) is None
    assert median_ratio([], [1.0]) is None


def test_growth_compares_the_end_with_the_beginning():
    assert growth([100.0] * 10 + [110.0] * 10) == pytest.approx(0.1)
    assert growth([1.0] * 9) is None


def test_at_least_is_met_from_its_limit_on():
    assert at_least("x", 2.0, 2).ok
    assert at_least("x", 1.99, 2).ok is False
    assert at_least("x", None, 2).ok is False


def test_a_burst_counts_good_answers_only():
    made = burst(SUMMARY, spent=0.1, others=-0.01)
    assert made == Burst(rate=450.0, p50=0.5, p99=2.5, failed=102, cpu=pytest.approx(100.0), others=0.0)


def test_the_summary_is_found_in_what_wrk_prints():
    assert summary(f"Running 1s test\nBENCH {json.dumps(SUMMARY)}\n") == SUMMARY
    with pytest.raises(RuntimeError, match="unable to connect"):
        summary("", "unable to connect")


def test_payments_come_from_their_seed_and_fit_the_model():
    first, again = payments(3), payments(3)
    assert first == again
    row = features(**{key: first[0][key] for key in ("amount", "country", "device", "history")})
    assert len(row) == WIDTH
    assert np.isfinite(row).all()
    assert enveloped(first[0])["context"].keys() == {"amount", "country", "device", "history"}


@pytest.mark.parametrize("section", [throughput, overload, faults, batching, startup])
def test_a_section_that_was_not_measured_misses_its_targets(section):
    judged = [row.ok for row in section.rows(section.Result()) if row.ok is not None]
    assert judged
    assert not any(judged)


def side(rate: float, cpu: float, p99: float) -> throughput.Peer:
    return throughput.Peer([Burst(rate, 1.0, 1.0, 0, cpu, 0.0)] * 3, p99=[p99] * 3, p50=[0.1] * 3)


def test_throughput_is_judged_against_every_peer():
    peers = {"aiohttp": 10.0, "fastapi": 8.0, "fastapi-raw": 9.0, "mlserver": 4.0, "bentoml": 1.0, "litserve": 1.0}
    sides = {name: side(rate, 100.0, 2.0) for name, rate in peers.items()}
    result = throughput.Result({**sides, "triton": side(20.0, 60.0, 0.5), "turnout": side(16.0, 50.0, 1.0)})
    verdicts = {row.metric.strip(): row.ok for row in throughput.rows(result)}
    assert verdicts["over aiohttp"]
    assert verdicts["over fastapi"]
    assert verdicts["over fastapi-raw"] is False
    assert verdicts["over triton"] is None
    assert verdicts["ratio to triton"]
    assert verdicts["p99 over mlserver's"]


def test_overload_is_judged_by_each_kind_of_answer():
    ledger = Ledger(np.arange(10) / 10)
    ledger.sent[:] = ledger.due
    for number in range(8):
        ledger.close(number, ledger.due[number] + (0.05 if number < 5 else 0.001), 200 if number < 5 else 429, False)
    found = overload.Overload()
    overload.judge(found, ledger.outcomes(), seconds=1.0)
    assert (found.goodput, found.neither) == (5.0, pytest.approx(0.2))
    assert found.accepted_p99 == pytest.approx(50)
    assert found.shed_p99 == pytest.approx(1)


def faulty(last_fallback: float, stray: float = 0.0) -> faults.Seen:
    ledger = Ledger(np.arange(2000) / 200)
    for number, due in enumerate(ledger.due):
        ledger.close(number, due + 0.02, 200, 2.0 <= due <= last_fallback or due == stray)
    return faults.judge(ledger.outcomes(), begin=2.0, end=6.0)


def test_recovery_lasts_until_facts_are_live_for_a_second():
    seen = faulty(last_fallback=7.5)
    assert seen.recovery == pytest.approx(1.5, abs=0.02)
    assert (seen.fallback, seen.failed) == (1.0, 0.0)
    assert seen.p99 == pytest.approx(20)
    assert faulty(last_fallback=5.9).recovery == 0.0
    assert faulty(last_fallback=9.5).recovery is None


def test_a_stray_fallback_does_not_undo_a_recovery():
    assert faulty(last_fallback=6.5, stray=8.0).recovery == pytest.approx(0.5, abs=0.02)


def test_fallbacks_that_are_missing_show():
    assert faulty(last_fallback=3.9).fallback == pytest.approx(0.5, abs=0.05)
    assert faulty(last_fallback=3.9).recovery == 0.0
