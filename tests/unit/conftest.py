"""How hypothesis searches in the unit tests."""

import os

from hypothesis import settings

# The machines of tests are slow and noisy now and then; the CI judges by the same examples every time.
settings.register_profile("gateway", deadline=None, derandomize=os.environ.get("CI") == "true")
settings.load_profile("gateway")
