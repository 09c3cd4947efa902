"""The same workflow over tables: rows instead of requests, snapshots instead of live facts, parts instead of a log."""
