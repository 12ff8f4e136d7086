"""Why a model does not generalize, found out by experiment; and what augmentation does to labels.

    print(gapless.diagnose(task))

The module is what is called: `gapless.diagnose` is the function, and `gapless.diagnose.labels` is in it.
"""

from __future__ import annotations

import sys
from types import ModuleType

from gapless.diagnose.diagnosis import Diagnosis
from gapless.diagnose.door import diagnose
from gapless.diagnose.finding import Absent, Finding, Reference, Suspect

__all__ = ["Absent", "Diagnosis", "Finding", "Reference", "Suspect", "diagnose"]


class _Callable(ModuleType):
    """A module and a function of one name would hide each other, so the module is the function."""

    __call__ = staticmethod(diagnose)


sys.modules[__name__].__class__ = _Callable
