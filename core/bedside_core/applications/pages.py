"""The pages of `/oauth/authorize`: plain HTML without scripts and styles, in no frame, with one form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from litestar import MediaType, Response

from bedside_core.applications.authorize import Wish
from bedside_core.applications.model import form_target


def consent(wish: Wish, permissions: Mapping[str, str], who: str, practice: str) -> Response[str]:
    """Return the question whether an application may act for somebody.

    Args:
        wish: what it asks for.
        permissions: what each scope allows, in words.
        who: the person's name.
        practice: the practice they act in.
    """
    asked = "\n".join(f"<li>{escape(permissions.get(scope, scope))}</li>" for scope in wish.scopes)
    hidden = {
        "response_type": "code",
        "client_id": str(wish.application.id),
        "redirect_uri": wish.redirect_uri,
        "scope": " ".join(wish.scopes),
        "code_challenge": wish.challenge,
        "code_challenge_method": "S256",
        **({} if wish.state is None else {"state": wish.state}),
    }
    fields = "\n".join(f'<input type="hidden" name="{name}" value="{escape(value)}">' for name, value in hidden.items())
    name = escape(wish.application.name)
    body = f"""<h1>{name} asks to act for you</h1>
<p>You are signed in as {escape(who)} of {escape(practice)}. {name} could then do this in your name:</p>
<ul>
{asked}
</ul>
<p>The answer goes to <code>{escape(form_target(wish.redirect_uri))}</code>. You can end it at any time among your
sessions.</p>
<form method="post" action="/oauth/authorize">
{fields}
<button name="decision" value="deny">Refuse</button>
<button name="decision" value="allow">Allow</button>
</form>"""
    return _page(f"{wish.application.name} asks to act for you", body, 200, [wish.redirect_uri])


def told(title: str, text: str, status: int) -> Response[str]:
    """Return a page that says why it does not go on."""
    return _page(title, f"<h1>{escape(title)}</h1>\n<p>{escape(text)}</p>", status, [])


def _page(title: str, body: str, status: int, targets: Sequence[str]) -> Response[str]:
    html = f"""<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(title)}</title></head>
<body>
{body}
</body>
</html>
"""
    # A browser follows a form's answer to these only; with no-referrer it would send the form without its origin.
    goes = " ".join(["'self'", *map(form_target, targets)]) if targets else "'none'"
    policy = f"default-src 'none'; base-uri 'none'; form-action {goes}; frame-ancestors 'none'"
    headers = {"content-security-policy": policy}
    if targets:
        headers["referrer-policy"] = "same-origin"
    return Response(html, media_type=MediaType.HTML, status_code=status, headers=headers)
