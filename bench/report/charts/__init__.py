"""Charts: one file each, with the table of the same numbers. A new file is found by itself."""

import importlib
import pkgutil

for _info in pkgutil.iter_modules(__path__):
    if not _info.ispkg:
        importlib.import_module(f"{__name__}.{_info.name}")
