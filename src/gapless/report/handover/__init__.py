"""What a person takes home: the program that trains the recipe, what it costs, and what to do next."""
