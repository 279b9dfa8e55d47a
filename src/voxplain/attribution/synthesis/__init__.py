"""Images made for the network."""
