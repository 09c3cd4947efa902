"""The prediction log: one record per prediction, written off the request path to bounded files."""
