"""What an operator should have seen to before something happens: backups, the anchor's place, mail, a worker, room."""

from __future__ import annotations

import shutil
from collections.abc import AsyncGenerator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bedside_core import audit
from bedside_core.audit.anchor import Anchor
from bedside_core.auth.sealing import KEY_FILE
from bedside_core.backup.create import COMPLETE
from bedside_core.config import Config
from bedside_core.database import DB, acting
from bedside_core.findings import Finding, fail, ok, warn
from bedside_core.serving import listens_locally

LATELY = timedelta(days=2)
"""How old the last backup may be."""
SKEW_SECONDS = 2.0
"""How far the database's clock may be from this machine's."""
OVERDUE_SECONDS = 300.0
"""How late a scheduled job may be before nobody seems to run jobs."""
LITTLE_BYTES, TOO_LITTLE_BYTES = 2 << 30, 200 << 20
LITTLE_SHARE = 0.05


def of_machine(config: Config) -> Iterator[Finding]:
    """Yield what can be seen without a database.

    Args:
        config: the deployment's configuration.
    """
    yield _anchors_place(config)
    yield _room(config)
    yield _permissions(config)
    yield _mail(config)
    if not listens_locally(config.host) and all(network.is_loopback for network in config.trusted_proxies):
        yield warn(
            "proxies",
            f"{config.host} is listened on, and only this machine's proxies are believed",
            "Name the proxy in BEDSIDE_TRUSTED_PROXIES, else all clients count as one address.",
        )


async def of_database() -> AsyncGenerator[Finding]:
    """Yield what the database tells; `DB` is open."""
    yield await _backup()
    yield await _worker()
    yield await _skew()


def _anchors_place(config: Config) -> Finding:
    folder = config.anchor.absolute()
    if config.database_url is None and _device(folder) == _device(config.data.absolute() / "postgres"):
        return warn(
            "anchor's place",
            "the audit trail's anchor is on the disk that the database is on",
            "Let BEDSIDE_AUDIT_ANCHOR name a folder elsewhere: who can write both can rewrite the trail unseen.",
        )
    return ok("anchor's place", "the anchor is on another disk than the database, as far as can be seen from here")


def _device(path: Path) -> int:
    """Return the disk that a folder is on, or will be."""
    return next(each for each in (path, *path.parents) if each.exists()).stat().st_dev


def _room(config: Config) -> Finding:
    for path in (config.data.absolute(), config.anchor.absolute()):
        there = next(each for each in (path, *path.parents) if each.exists())
        total, _, free = shutil.disk_usage(there)
        told = f"{free / 2**30:.1f} GB of {total / 2**30:.0f} are free for {path}"
        if free < TOO_LITTLE_BYTES:
            return fail("disk", told, "Make room: a full disk stops the database.")
        if free < LITTLE_BYTES or free / total < LITTLE_SHARE:
            return warn("disk", told, "Make room before it is full.")
    return ok("disk", "there is room")


def _permissions(config: Config) -> Finding:
    paths = [config.data / name for name in (KEY_FILE, "postgres", "files", "incoming")] + [config.anchor]
    paths += sorted(Anchor(config.anchor).folder.glob("*.jsonl"))
    weak = [path for path in paths if path.exists() and path.stat().st_mode & 0o077]
    if weak:
        return warn(
            "permissions",
            f"others on this machine may read or pass {', '.join(map(str, weak))}",
            "Take their rights away: chmod -R go-rwx.",
        )
    return ok("permissions", "the data folder is closed to others on this machine")


def _mail(config: Config) -> Finding:
    if config.smtp_url is None or not config.mail_sender:
        return warn(
            "mail",
            "no mail is sent: nobody can be invited or reset a password",
            "Set BEDSIDE_SMTP_URL and BEDSIDE_MAIL_SENDER.",
        )
    return ok("mail", f"mail is sent as {config.mail_sender}")


async def _backup() -> Finding:
    with acting(audit.DEPLOYMENT):
        last = await DB.fetchval("SELECT max(at) FROM audit_entry WHERE action = $1", COMPLETE)
    way_on = "Have `bedside backup create` run daily; see docs/operations.md."
    if last is None:
        return warn("backup", "no backup was ever made with `bedside backup create`", way_on)
    if datetime.now(UTC) - last > LATELY:
        return warn("backup", f"the last backup is of {last:%Y-%m-%d %H:%M} UTC", way_on)
    return ok("backup", f"the last backup is of {last:%Y-%m-%d %H:%M} UTC")


async def _worker() -> Finding:
    row = await DB.fetchrow("SELECT * FROM figures_of_schedules($1)", datetime.now(UTC))
    way_on = "Let a process run jobs: BEDSIDE_WORKER, or `bedside worker`."
    if row is None or not row["schedules"]:
        return warn("worker", "no worker was ever seen", way_on)
    if row["overdue_seconds"] > OVERDUE_SECONDS:
        return warn("worker", f"jobs are due since {timedelta(seconds=round(row['overdue_seconds']))}", way_on)
    return ok("worker", "scheduled jobs are run when they are due")


async def _skew() -> Finding:
    before = datetime.now(UTC)
    theirs = await DB.fetchval("SELECT clock_timestamp()")
    after = datetime.now(UTC)
    skew = max((before - theirs).total_seconds(), (theirs - after).total_seconds())
    if skew > SKEW_SECONDS:
        return warn("time", f"the database's clock is {skew:.1f} s from this machine's", "Let both keep time (NTP).")
    return ok("time", "the database's clock agrees with this machine's")
