"""A read-only installation and no home, as in a container with another user."""

import os
import subprocess
import sys

PROGRAM = """
import numpy as np
from gapless.native.kept import KEPT
from gapless.draws import uniforms
from gapless.augment.image.cpu import batch
import gapless.augment.image.ops.color
from gapless.dropout import kernel
assert not KEPT
assert uniforms(0, "x", 0, np.arange(3), 2).shape == (3, 2)
batch._compiled("another")
assert kernel._entry()
"""


def test_compiled_code_needs_no_folder() -> None:
    """With every place that numba looks for taken away, the code is compiled in the process."""
    environment = {k: v for k, v in os.environ.items() if k != "NUMBA_CACHE_DIR"}
    environment["NUMBA_CACHE_LOCATOR_CLASSES"] = "UserProvidedCacheLocator"
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=False, timeout=200
    )
    assert done.returncode == 0, done.stderr
