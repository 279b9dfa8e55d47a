"""The command line in this process, and servers of studies, for tests."""

from command_line import folder, voxplain  # noqa: F401  fixtures
from viewing.conftest import running  # noqa: F401  a fixture
