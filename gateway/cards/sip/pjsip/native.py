"""The one module that imports pjsua2: its Python classes (`pj`) and the extension they wrap."""

import pjsua2 as pj
from pjsua2 import _pjsua2 as extension

__all__ = ["extension", "pj"]
