"""The interpreter in torch, on any device: the reference for tests, and the one for GPUs."""
