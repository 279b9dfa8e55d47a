"""A Ray cluster of this machine, for tests: ends when its standard input closes."""

from __future__ import annotations

import os
import sys

from voxplain.study.running.on_ray.session import QUIET


def main(folder: str, cpus: int) -> None:
    """Start it, print its address, wait."""
    os.environ.update(QUIET)
    import ray  # which reads the environment when it is imported

    ray.init(
        "local",
        num_cpus=cpus,
        num_gpus=0,
        include_dashboard=False,
        log_to_driver=False,
        logging_level="critical",
        object_store_memory=80 * 2**20,
        _temp_dir=folder,
    )
    print(ray.get_runtime_context().gcs_address, flush=True)
    sys.stdin.read()
    ray.shutdown()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
