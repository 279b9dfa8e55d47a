"""What a folder of results holds, whoever wrote it: cases, maps, figures, and nothing outside of it but the images."""

from voxplain.viewing.folder.folder import Figures, Folder, Item, Light
from voxplain.viewing.folder.opened import opened

__all__ = ["Figures", "Folder", "Item", "Light", "opened"]
