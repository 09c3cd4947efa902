"""Pure decisions: from specs and observations to manifests, routes and status."""
