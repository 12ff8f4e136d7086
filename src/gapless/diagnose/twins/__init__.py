"""Rows that are nearly the same as another one, by the kind of data."""
