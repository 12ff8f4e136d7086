"""Rules about what training may know of the data it is judged by."""
