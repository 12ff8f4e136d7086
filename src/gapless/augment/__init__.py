"""Augmentation: showing the model variations of what it has seen.

`image` holds the image engine, `mix` the mixing of samples in pairs.
"""
