"""A network that learned one organ from another at one of two sites, and one that did not: truth for cohort studies."""
