"""The local server: who may ask, what is answered, and how it starts and ends."""

from voxplain.viewing.server.app import make_app
from voxplain.viewing.server.session import Session
from voxplain.viewing.server.start import serve

__all__ = ["Session", "make_app", "serve"]
