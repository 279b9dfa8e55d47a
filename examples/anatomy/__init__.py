"""A known atrophy of real anatomy in three dimensions, and a classifier that looks at one part of it."""
