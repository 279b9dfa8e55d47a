"""Simulators: networks that warp an image towards and away from a disease, and what changes."""
