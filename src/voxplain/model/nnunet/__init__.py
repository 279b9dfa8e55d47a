"""Trained nnU-Net v2 models, and TotalSegmentator's, which have the same layout: asked exactly as nnU-Net asks them."""
