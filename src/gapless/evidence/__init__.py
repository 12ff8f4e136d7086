"""Compare two models honestly: paired seeds, rows opened once, intervals."""
