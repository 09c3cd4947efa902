"""The serving process: HTTP at the edge, one dataplane behind it."""
