"""One case, several methods, in this process: what `voxplain explain` does."""
