"""The lesson as experiments: each of its claims, run on this machine, with its verdict."""
