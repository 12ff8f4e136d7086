"""Other words for whole texts, made ahead: translation there and back, and masked language models."""
