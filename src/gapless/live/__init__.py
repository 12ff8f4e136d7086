"""Pages that are served to this machine alone: a network that trains while you watch, and runs while they go on."""
