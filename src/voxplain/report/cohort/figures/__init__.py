"""Figures of a cohort's page, drawn on a light card so that they can be read in light and dark pages."""
