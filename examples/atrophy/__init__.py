"""A disease that moves tissue, a classifier of it, and one that has learned a mark beside the body."""
