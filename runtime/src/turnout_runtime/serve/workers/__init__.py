"""Several processes behind the same ports: a supervisor starts them, adds up their metrics, and ends them together."""
