"""Fair shares of the score among parts of the image, or among its channels."""
