"""One YAML -> trained simulators, what each subject is explained by, and what subjects have in common."""
