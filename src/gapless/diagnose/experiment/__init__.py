"""What a diagnosis trains and measures, before causes are judged."""
