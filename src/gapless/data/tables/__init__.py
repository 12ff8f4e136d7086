"""Tables: what each column is, what became of it, and the rows as numbers."""
