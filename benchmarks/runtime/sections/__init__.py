"""What is measured: each module has a `Result`, `measure(bench, result)` that fills it, and `rows(result)`."""
