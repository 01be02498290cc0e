"""MkDocs hook: which scripts a page may run. Everything else, a stranger's record first of all, is text to the browser.

The theme writes three short scripts into each page; the policy names them by their hash, taken from the theme's own
templates and not from the finished page. Styles in attributes stay allowed: charts and the theme use them.
"""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Any

SCRIPT = re.compile(r"<script\b[^>]*>(.*?)</script>", re.S)
RULES = (
    "default-src 'self'",
    "script-src 'self'{hashes}",
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data: blob:",
    "font-src 'self' data:",
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'self'",
)


def policy(markup: str) -> str:
    """The content of the policy's meta tag, which allows the inline scripts of some trusted markup and no others."""
    digests = (hashlib.sha256(text.encode()).digest() for text in SCRIPT.findall(markup))
    hashes = "".join(f" 'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
    return "; ".join(RULES).format(hashes=hashes)


def on_env(env: Any, **_: Any) -> Any:
    """Offer ``policy`` to the templates."""
    env.filters["policy"] = policy
    return env


def on_page_content(html: str, *, page: Any, **_: Any) -> str:
    """Take the scripts out of notebooks: for mathematics and diagrams they do not have, and a button of the theme.

    What the keyboard reaches is the code that scrolls, not the frame around it, which shows no mark.
    """
    if not page.file.src_uri.endswith(".ipynb"):
        return html
    html = re.sub(r"<clipboard-copy\b.*?</clipboard-copy>", "", SCRIPT.sub("", html), flags=re.S)
    html = html.replace(' class="jp-Cell-inputWrapper" tabindex="0"', ' class="jp-Cell-inputWrapper"')
    return html.replace(' class="highlight-ipynb hl-python"', ' class="highlight-ipynb hl-python" tabindex="0"')
