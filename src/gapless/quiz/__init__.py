"""Questions about the lesson, each answered by what an experiment of the lab measured on this machine."""
