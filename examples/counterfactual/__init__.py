"""Counterfactual images: a known disease, a planted mark, and radiographs."""
