"""From a cohort's tables to the page's content: all statistics are run here, seeded."""
