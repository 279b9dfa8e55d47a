"""Whether a map lies where people say that the finding is."""
