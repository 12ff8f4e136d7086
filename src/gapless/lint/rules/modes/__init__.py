"""Rules about dropout, batch norm and the mode they run in."""
