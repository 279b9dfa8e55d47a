"""The command line in this process, for tests."""

from command_line import folder, voxplain  # noqa: F401  fixtures
