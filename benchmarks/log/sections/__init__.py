"""One module a section: `Result`, `measure` and `rows`."""
