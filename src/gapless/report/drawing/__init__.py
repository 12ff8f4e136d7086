"""Charts and sheets of pictures: what a page or a file shows that is not words."""
