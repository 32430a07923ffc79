"""Restores a backup onto an empty machine: files, anchor and key first, the database last and all or nothing."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bedside_core import audit
from bedside_core.auth.sealing import KEY_FILE
from bedside_core.backup import layout
from bedside_core.backup.keys import fingerprint, opened, present_key
from bedside_core.backup.layout import BackupFailed, Manifest
from bedside_core.backup.read import compared, verify
from bedside_core.backup.where import Where, database_of
from bedside_core.boot import apps_of
from bedside_core.config import Config
from bedside_core.database import DB, acting, prepare_roles
from bedside_core.database.dump import is_bare, snapshot
from bedside_core.database.dump import restore as restore_database
from bedside_core.database.migrate import CORE, App, read_app
from bedside_core.files.store import INCOMING, WHOLE, Store
from bedside_core.plugins import Plugins

ACTION = "backup.restore"


@dataclass(frozen=True, kw_only=True)
class Restored:
    """What was restored.

    Args:
        manifest: the backup's.
        notes: what the operator has to know or do, in words.
    """

    manifest: Manifest
    notes: tuple[str, ...]


async def restore(
    config: Config, folder: Path, *, passphrase: str | None = None, tell: Callable[[str], None] = lambda what: None
) -> Restored:
    """Restore a backup into the deployment that the configuration names, which must hold nothing yet.

    Interrupted before its end, it may be run again. What the backup's version had is there then; the next start, or
    `bedside migrate`, brings it up to date. All sessions are ended: among them are those that ended since the backup.

    Args:
        config: where to.
        folder: the backup, which is verified first.
        passphrase: opens the deployment's key in it.
        tell: called with what is done next.

    Raises:
        BackupFailed: the backup is damaged, newer than this version or than one of its plugins, or there is something
            already.
        DumpFailed: `pg_restore` refused; the database is as it was.
        NotReady: the owner's URL is missing.
        Unavailable: database or store don't answer.
    """
    tell("reading the backup")
    found = await verify(folder)
    manifest = found.manifest
    if found.faults:
        raise BackupFailed("the backup is damaged: " + "; ".join(found.faults))
    _refuse_newer(config, manifest)
    key = _key(config, folder, manifest, passphrase)
    store = Store(config.files_url, config.data / "files")
    _refuse_other_anchor(config, folder)
    await _refuse_full_store(store, folder)
    async with database_of(config) as where:
        if not await is_bare(where.owner):
            raise BackupFailed("the database has tables already: a backup is restored into an empty one")
        tell("restoring files")
        await _restore_files(store, folder)
        await asyncio.to_thread(_restore_anchor, config, folder)
        if key is not None:
            await asyncio.to_thread(_keep_key, config, key)
        tell("restoring the database")
        await prepare_roles(where.owner, where.application)
        # Every session ends with what restores it, so that whatever comes in between, nobody finds one open: who signed
        # out since the backup, or was signed out, is not signed in by it (A10).
        ended = f"ended_at = '{datetime.now(UTC).isoformat()}'"  # the machine's time, as in the backup's name
        end = f"UPDATE public.session SET {ended} WHERE ended_at IS NULL"
        await restore_database(where.owner, folder / layout.DUMP, also=end)
        tell("comparing")
        async with snapshot(where.owner, but=f"UPDATE public.session SET ended_at = NULL WHERE {ended}") as seen:
            if faults := await compared(seen, manifest):
                raise BackupFailed("the restored database is not what was backed up: " + "; ".join(faults))
        async with _as_application(where):
            await _enter(folder.name)
    return Restored(manifest=manifest, notes=tuple(_notes(manifest, key)))


def _refuse_newer(config: Config, manifest: Manifest) -> None:
    """Refuse what was made by a newer version of Bedside or of an active plugin; of others nothing is known."""
    known: list[App] = []
    for module in (CORE, *apps_of(Plugins(config.plugins, hook_seconds=config.hook_seconds))):
        app = read_app(module, known)
        known.append(app)
        if unknown := sorted(set(manifest.migrations.get(app.name, ())) - set(app.migrations)):
            of = f"Bedside {manifest.bedside}" if module == CORE else f"a version of the plugin {app.name}"
            raise BackupFailed(f"the backup is of {of}, which is newer: {', '.join(unknown)}")


def _key(config: Config, folder: Path, manifest: Manifest, passphrase: str | None) -> str | None:
    """Return the key to put into the data folder, if any.

    Raises:
        BackupFailed: the deployment's present key is another than the one that the backup's secrets are sealed with.
    """
    present = present_key(config)
    if present is not None:
        if manifest.key is not None and fingerprint(present) != manifest.key:
            raise BackupFailed("the deployment's key is another than the backup's, with which its secrets are sealed")
        return None
    if layout.SEALED_KEY not in manifest.parts or passphrase is None:
        return None
    return opened((folder / layout.SEALED_KEY).read_bytes(), passphrase)


async def _refuse_full_store(store: Store, folder: Path) -> None:
    """Refuse a store that holds anything but what an interrupted restore of this backup has left."""
    ours = await asyncio.to_thread(lambda: {stored.key for stored in layout.listed(folder)})
    for area in (WHOLE, INCOMING):
        async for page in store.keys(f"{area}/"):
            if any(key not in ours for key, _ in page):
                raise BackupFailed("the store of files holds files already: a backup is restored into an empty one")


def _refuse_other_anchor(config: Config, folder: Path) -> None:
    for path in sorted(config.anchor.glob("*.jsonl")):
        same = folder / layout.ANCHOR / path.name
        if not same.is_file() or same.read_bytes() != path.read_bytes():
            raise BackupFailed(f"{config.anchor} holds another trail's anchor: keep it, and name a new folder")


async def _restore_files(store: Store, folder: Path) -> None:
    for stored in layout.listed(folder):
        if stored.sha256 is not None:
            await store.put_file(stored.key, folder / layout.FILES / stored.key)


def _restore_anchor(config: Config, folder: Path) -> None:
    config.anchor.mkdir(mode=0o700, parents=True, exist_ok=True)
    for path in sorted((folder / layout.ANCHOR).glob("*.jsonl")):
        target = config.anchor / path.name
        shutil.copyfile(path, target)
        target.chmod(0o600)
        layout.sync(target)
    layout.sync(config.anchor)


def _keep_key(config: Config, key: str) -> None:
    config.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    layout.write(config.data / KEY_FILE, key.encode())
    layout.sync(config.data)


@asynccontextmanager
async def _as_application(where: Where) -> AsyncGenerator[None]:
    await DB.open(where.application, max_size=2)
    try:
        yield
    finally:
        await DB.close()


async def _enter(name: str) -> None:
    async with audit.operation(via=audit.Via.COMMAND, detail={"command": "bedside backup restore"}, operator=True):
        with acting(audit.DEPLOYMENT):
            audit.did(ACTION, kind="backup", target=name)


def _notes(manifest: Manifest, key: str | None) -> list[str]:
    notes: list[str] = []
    if manifest.key is not None and key is None:
        notes.append(
            f"The backup's secrets are sealed with the key of fingerprint {manifest.key}, which is not in it: "
            f"set BEDSIDE_SECRET_KEY, or put {KEY_FILE} back, before anybody signs in."
        )
    if manifest.files_gone or manifest.files_lost:
        notes.append(f"{manifest.files_gone + manifest.files_lost} files have no bytes; the nightly sweep marks them.")
    if manifest.settings:
        notes.append(f"Not in the backup are the variables that were set: {', '.join(manifest.settings)}.")
    notes.append("Everybody is signed out. Keys and jobs are as they were then: what was revoked since counts again.")
    return notes
