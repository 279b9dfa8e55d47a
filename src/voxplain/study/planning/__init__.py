"""From settings to tasks: what is to be done, what each needs first, and what it will cost."""
