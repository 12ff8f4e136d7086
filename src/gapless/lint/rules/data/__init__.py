"""Rules about loaders and their draws."""
