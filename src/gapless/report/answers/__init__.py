"""Which classes gained, what is taken for what, and the rows that turned, as a report shows them."""
