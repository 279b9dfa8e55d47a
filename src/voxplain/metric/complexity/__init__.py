"""How concentrated a map is, which says nothing about whether it is right."""
