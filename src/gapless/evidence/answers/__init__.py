"""What both models of the verdict answered, row by row: what each class gained, which rows turned."""
