"""What spoils the figures: the rows and labels are not what they are taken for."""
