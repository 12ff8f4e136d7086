"""What a search of a policy says and writes."""
