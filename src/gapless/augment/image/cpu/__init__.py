"""The compiled interpreter: one numba pass over a batch."""
