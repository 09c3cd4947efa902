"""What holds for all tests, and which are too slow for the fast loop: simulations, kills, fuzzing, training, pages."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# A busy machine must not fail a test of what is computed.
settings.register_profile("turnout", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("turnout")

SLOW = {
    "test_batch_kill.py",
    "test_batch_pages.py",
    "test_batch_parity.py",
    "test_batch_pod.py",
    "test_bundle_manifest.py",
    "test_drift_sampled.py",
    "test_embedded.py",
    "test_facts_in_a_pod.py",
    "test_feedback_pod.py",
    "test_first_workflow.py",
    "test_flight_bundles.py",
    "test_flight_data.py",
    "test_flight_tables.py",
    "test_load.py",
    "test_log_kills.py",
    "test_log_label_commands.py",
    "test_log_quality.py",
    "test_log_report.py",
    "test_log_shipping.py",
    "test_log_statistics.py",
    "test_log_upkeep.py",
    "test_model_formats.py",
    "test_model_overload.py",
    "test_offline_parts.py",
    "test_offline_run.py",
    "test_offline_snapshots.py",
    "test_ope_cli.py",
    "test_policy_estimates.py",
    "test_redis_fact_faults.py",
    "test_replay_pages.py",
    "test_replay_pod.py",
    "test_route_from_cluster.py",
    "test_routing_page.py",
    "test_serving_envoy.py",
    "test_serving_fuzz.py",
    "test_serving_processes.py",
    "test_sketches_in_a_pod.py",
    "test_trace.py",
    "test_xds_changes.py",
    "test_xds_explain.py",
    "test_xds_fallback_changes.py",
    "test_xds_rules.py",
    "test_xds_shadow_load.py",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(item.path).name in SLOW:
            item.add_marker("slow")
