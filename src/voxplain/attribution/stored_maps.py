"""Maps that stay in their file, and are read one at a time."""

from __future__ import annotations

from torch import Tensor

from voxplain.engine.tensor_file import TensorFile


class StoredMaps:
    """Maps by target index, each read anew whenever it is asked for; none is kept.

    Args:
        file: its tensors' names are the indices.
    """

    def __init__(self, file: TensorFile) -> None:
        self.file = file

    def __contains__(self, target: int) -> bool:
        return str(target) in self.file.entries

    def __getitem__(self, target: int) -> Tensor:
        """The whole map of a target.

        Raises:
            InputError: there is none of it, or the file was changed.
        """
        return self.file.read(str(target))
