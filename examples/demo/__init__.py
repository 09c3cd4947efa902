"""`make demo`: from nothing to a canary on a real cluster, with real flights."""
