"""What is asked: settings in YAML, checked before anything is loaded."""
