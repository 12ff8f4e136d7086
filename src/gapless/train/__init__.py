"""The one training loop, and how models are scored."""
