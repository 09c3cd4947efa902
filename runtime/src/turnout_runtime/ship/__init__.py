"""Brings the prediction log from a pod's segments to its sinks: `turnout log ship`."""
