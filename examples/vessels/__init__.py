"""Three vessel networks, how they are made, and what the published protocol says about their explanations."""
