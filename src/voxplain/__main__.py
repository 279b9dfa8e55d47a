"""``python -m voxplain``: the command line where its script is not on the path."""

from voxplain.cli import main

if __name__ == "__main__":
    main()
