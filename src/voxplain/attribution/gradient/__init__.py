"""Gradients, paths of gradients, and averages of them over noise."""
