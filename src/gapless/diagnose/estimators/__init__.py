"""Estimators of causes: arithmetic on what was measured."""
