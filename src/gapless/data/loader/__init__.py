"""Batches of augmented pictures: drawn by (seed, epoch, row), whatever the batch, thread or machine."""
