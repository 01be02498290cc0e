"""Tables that stand without a chart: one file for each subject. A new file is found by itself."""

import importlib
import pkgutil

for _info in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_info.name}")
