"""What `voxplain demo` shows: small networks on phantoms and on a brain template.

Names are imported when they are first used: importing the room loads neither torch nor numpy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from voxplain.lazy import lazily

# Module -> its public names, as words. The block for type checkers repeats them.
_MODULES = {
    "voxplain.demo.networks": "TISSUE_CLASSES tissue_network tissue_weights vessel_network",
    "voxplain.demo.subjects": "with_tissues",
}
_EXPORTS = {name: module for module, names in _MODULES.items() for name in names.split()}

__all__ = list(_EXPORTS)

if TYPE_CHECKING:
    from voxplain.demo.networks import (
        TISSUE_CLASSES as TISSUE_CLASSES,
        tissue_network as tissue_network,
        tissue_weights as tissue_weights,
        vessel_network as vessel_network,
    )
    from voxplain.demo.subjects import with_tissues as with_tissues


__getattr__, __dir__ = lazily(__name__, _EXPORTS)
