"""Reads a training script as text: what its names stand for, what its models hold, how its loops go."""
