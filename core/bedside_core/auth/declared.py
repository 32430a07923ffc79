"""What sign-in declares of core's: permissions, settings and jobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bedside_core.access import EVERYONE, LEADERS, OPERATOR, PATIENTS, Permission
from bedside_core.auth.attempts import TELL, tell
from bedside_core.auth.preferences import PLUGIN, AccountsSettings
from bedside_core.jobs.declared import Job

PERMISSIONS = (
    Permission(
        key="account.own",
        doc="See and change how oneself signs in: sessions, password, second factors.",
        roles=EVERYONE | PATIENTS | OPERATOR,
    ),
    Permission(key="keys.read", doc="See the practice's API keys.", roles=LEADERS),
    Permission(key="keys.make", doc="Make and revoke API keys of the practice.", roles=LEADERS),
)

SETTINGS: Mapping[str, type] = {PLUGIN: AccountsSettings}

JOBS: Sequence[Job] = (
    Job(name=TELL.partition(".")[2], function=tell, doc="Tells whose account was locked, if anybody's.", public=True),
)
