"""Gradients, paths of gradients, and averages of them over noise."""

# Studies of all methods show a family in the order in which it registers: the simplest first.
from voxplain.attribution.gradient import plain  # noqa: F401, I001
from voxplain.attribution.gradient import integrated_gradients  # noqa: F401
from voxplain.attribution.gradient import smoothgrad  # noqa: F401
from voxplain.attribution.gradient import expected_gradients  # noqa: F401
