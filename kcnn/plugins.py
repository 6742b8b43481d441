"""A user's own modules, loaded with kcnn: what they register is there for every verb, training and dashboard.

KCNN_PLUGINS names them, with commas between: modules on Python's path, such as a file `my_networks.py` in the folder
where one works with PYTHONPATH=. set.
"""

import os
from importlib import import_module

from kcnn.errors import UserError

VARIABLE = "KCNN_PLUGINS"


def load():
    """Import the modules that KCNN_PLUGINS names; raises `UserError` for one that is not there."""
    for name in filter(None, map(str.strip, os.environ.get(VARIABLE, "").split(","))):
        try:
            import_module(name)
        except ModuleNotFoundError as error:
            if error.name != name.partition(".")[0]:
                raise
            raise UserError(f"{VARIABLE} names {name!r}, which is no module on Python's path (PYTHONPATH)") from None
