"""The training is at fault: its length, its rate, its model, its statistics."""
