"""What a run found, for people: content (data only), charts, one HTML file, and the terminal's words."""
