"""Simulators: warp an image towards disease and back until the classifier changes its mind, and map what that took."""
