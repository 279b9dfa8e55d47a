"""Arguments that several classes of the room take."""

from __future__ import annotations

from voxplain.errors import InputError


def require_counts(**fields: object) -> None:
    """Raise InputError where a field is no whole number of at least 1."""
    for field, value in fields.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise InputError(f"{field}: found {value!r}, expected a whole number of at least 1")


def require_dims(spatial_dims: object) -> None:
    """Raise InputError for anything but 2 or 3 dimensions."""
    if spatial_dims not in (2, 3):
        raise InputError(f"spatial_dims: found {spatial_dims!r}, expected 2 or 3")
