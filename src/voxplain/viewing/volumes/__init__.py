"""Images, maps and labels as exact bytes, made when somebody looks at them and kept for a while."""

from voxplain.viewing.volumes.ahead import begin
from voxplain.viewing.volumes.kept import Kept
from voxplain.viewing.volumes.served import Served
from voxplain.viewing.volumes.volume import Volume

__all__ = ["Kept", "Served", "Volume", "begin"]
