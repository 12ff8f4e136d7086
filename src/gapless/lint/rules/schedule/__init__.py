"""Rules about schedules, monitors and the best epoch."""
