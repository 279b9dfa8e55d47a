"""Whether a map stays as it is where the image hardly changes."""
