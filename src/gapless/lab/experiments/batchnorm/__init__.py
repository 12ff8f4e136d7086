"""Experiments of this part of the lesson, one a file."""
