"""Rules about the statistics of batch norm."""
