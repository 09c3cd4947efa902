"""Turnout's operator: turns ModelDeployments and RoutingPolicies into pods and Envoy configuration."""
