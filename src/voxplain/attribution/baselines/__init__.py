"""Baselines that fill regions from what surrounds them, and whether a baseline could be part of the image."""
