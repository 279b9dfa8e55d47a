"""How settings are declared, read from YAML and refused; shared by everything that has a settings file."""
