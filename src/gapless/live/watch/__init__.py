"""Runs while they go on, read from their journals."""
