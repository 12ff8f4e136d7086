"""How rows without labels become what a model takes: decided when a Task is made, kept with the trained model."""
