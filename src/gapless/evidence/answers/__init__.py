"""What both models of the verdict answered, row by row: which classes gained, what is taken for what, which rows turned."""
