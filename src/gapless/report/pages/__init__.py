"""Pages beside the report of a run, each in its style."""
