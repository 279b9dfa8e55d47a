"""What a study leaves at its end: tables, the comparison, the page."""
