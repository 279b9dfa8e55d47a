"""What the list of cases can be sorted by: scores, figures of metrics, how unlike the others a case is, and lights."""

from voxplain.viewing.listing.listed import listed

__all__ = ["listed"]
