"""TODO"""

from __future__ import annotations

IDS = ("how-long", "buy-or-rent")
