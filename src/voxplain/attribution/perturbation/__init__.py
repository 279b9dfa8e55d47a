"""What the score loses when parts of the image change."""
