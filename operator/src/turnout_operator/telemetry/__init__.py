"""Metrics and logging of the operator."""
