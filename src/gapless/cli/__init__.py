"""The command: parse, call, print; no decisions."""
