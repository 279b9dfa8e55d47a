"""What the page says of a model, in words, rows and choices; nothing is drawn here."""
