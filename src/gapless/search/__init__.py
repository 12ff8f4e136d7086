"""What to train next, and how good it looks."""
