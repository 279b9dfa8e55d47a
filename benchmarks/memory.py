"""Peak memory of the gradient of one class and of all classes, each in a process of its own.

Maps go to scratch files (memory=0), so that all classes should take what one takes. A plain loop that keeps every
map in memory is printed beside it.
"""

from __future__ import annotations

import subprocess
import sys

from common import arguments, case, network

from voxplain.attribution import Gradient
from voxplain.attribution.peak import PeakMemory, resident_bytes
from voxplain.engine import Problem
from voxplain.model import Model, Windows
from voxplain.target import AllClasses


def measure(net: str, edge: int, roi: int, classes: int, memory: int) -> None:
    """Print: classes, map megabytes, peak megabytes over the start."""
    module, _ = network(net)
    targets = AllClasses(background=True) if classes == 0 else "1"
    problem = Problem(Model(module, windows=Windows(roi=roi)), case(net, edge), targets, memory=memory)
    start = resident_bytes()
    with PeakMemory(problem.model.device) as peak:
        Gradient().attribute(problem)
    maps = len(problem.present) * problem.image.numel() * 4
    print(
        f"  {len(problem.present):3d} classes, maps {maps / 2**20:7.1f} MB, peak {(peak.bytes - start) / 2**20:7.1f} MB"
    )


def main() -> None:
    """Run every setting in a fresh process."""
    chosen = arguments(__doc__, net="unet", edge=96, roi=48, only="")
    if chosen.only:
        classes, memory = map(int, chosen.only.split(","))
        measure(chosen.net, chosen.edge, chosen.roi, classes, memory)
        return
    for title, setting in (
        ("one class, maps on disk", "1,0"),
        ("all classes, maps on disk", "0,0"),
        ("all classes, maps in memory", f"0,{1 << 40}"),
    ):
        print(title, flush=True)
        options = [f"--net={chosen.net}", f"--edge={chosen.edge}", f"--roi={chosen.roi}", f"--only={setting}"]
        subprocess.run([sys.executable, __file__, *options, f"--threads={chosen.threads}"], check=True)


if __name__ == "__main__":
    main()
