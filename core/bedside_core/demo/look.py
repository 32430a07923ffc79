"""How the demo's pages look: one style for all of them, and a policy that lets it and nothing else in."""

from __future__ import annotations

import base64
import hashlib

_STYLE = """
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; }
body { margin: 0 auto; max-width: 60rem; padding: 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.4rem; margin: 0 0 0.5rem; }
h2 { font-size: 1.05rem; margin: 0; }
article { border-top: 1px solid color-mix(in srgb, currentColor 25%, transparent); padding: 1rem 0 0.25rem; }
article p { font-size: 0.9rem; margin: 0.15rem 0 0.5rem; }
pre { font: inherit; margin: 0.5rem 0; white-space: pre-wrap; }
caption { font-weight: 600; padding-bottom: 0.25rem; text-align: start; }
table { border-collapse: collapse; overflow-wrap: normal; }
th, td { padding: 0.15rem 1rem 0.15rem 0; text-align: start; white-space: nowrap; }
tbody tr { border-top: 1px solid color-mix(in srgb, currentColor 25%, transparent); }
.wide { margin-block: 1rem; overflow-x: auto; }
:focus-visible { outline: 3px solid #b26a00; outline-offset: 2px; }
"""
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
HEADERS = {
    "content-security-policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    f"style-src 'sha256-{_HASH}'"
}
"""What each page is sent with."""


def page(title: str, body: str) -> str:
    """Return a page as HTML.

    Args:
        title: its heading, as text.
        body: what stands below, as HTML.
    """
    return f"""<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{_STYLE}</style></head>
<body>
<h1>{title}</h1>
{body}
</body>
</html>
"""
