"""Bundles: a workflow's code and artifacts as one content-addressed unit."""
