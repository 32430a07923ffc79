"""What core itself declares, as plugins do in manifest and hooks: permissions, settings and jobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bedside_core import applications, files, inbox, notify, people, sandbox, settings, timeline, webhooks
from bedside_core.access import Permission
from bedside_core.accounts import declared as onboarding
from bedside_core.accounts.declared import listeners as listeners
from bedside_core.accounts.letters import NOTIFICATIONS as LETTERS
from bedside_core.audit import trail
from bedside_core.auth import declared as accounts
from bedside_core.files import FileOwner
from bedside_core.files import patients as patient_files
from bedside_core.files import sweep as file_sweep
from bedside_core.imports import job as import_job
from bedside_core.imports import service as imports
from bedside_core.jobs.declared import Job, Wake
from bedside_core.notify import jobs as notify_jobs
from bedside_core.notify.settings import NAME as NOTIFICATION_SETTINGS
from bedside_core.records import job as export_job
from bedside_core.records import leaving, merging, retention
from bedside_core.records import service as exports
from bedside_core.records.settings import RecordSettings
from bedside_core.webhooks import PublicEvent, standard
from bedside_core.webhooks import delivering as webhook_jobs

CORE = "core"
"""Under this name stand core's jobs, as a plugin's do under the plugin's."""

PERMISSIONS: Sequence[Permission] = (
    *people.PERMISSIONS,
    *settings.PERMISSIONS,
    *trail.PERMISSIONS,
    *accounts.PERMISSIONS,
    *applications.PERMISSIONS,
    *onboarding.PERMISSIONS,
    *inbox.PERMISSIONS,
    *notify.PERMISSIONS,
    *webhooks.PERMISSIONS,
    *sandbox.PERMISSIONS,
    *files.PERMISSIONS,
    *timeline.PERMISSIONS,
    *imports.PERMISSIONS,
    *exports.PERMISSIONS,
    *merging.PERMISSIONS,
    *retention.PERMISSIONS,
    *leaving.PERMISSIONS,
)
"""Actions on what belongs to core."""

SETTINGS: Mapping[str, type] = {
    "people": people.PeopleSettings,
    **accounts.SETTINGS,
    NOTIFICATION_SETTINGS: notify.NotificationSettings,
    "files": files.FileSettings,
    "records": RecordSettings,
}
"""Name, by which stored values are found and the schema names them, -> settings dataclass."""

JOBS: Sequence[Job] = (
    *accounts.JOBS,
    *onboarding.JOBS,
    *inbox.JOBS,
    *notify_jobs.JOBS,
    *file_sweep.JOBS,
    *import_job.JOBS,
    *export_job.JOBS,
    *retention.JOBS,
    *leaving.JOBS,
    *webhook_jobs.JOBS,
)
"""Background work, named `core.<name>`."""

NOTIFICATIONS: Sequence[notify.NotificationKind] = (
    *notify.NOTIFICATIONS,
    *LETTERS,
    retention.NOTIFICATION,
    leaving.NOTIFICATION,
    standard.DISABLED,
)
"""The kinds of notifications that core itself sends, named `core.<name>`."""

WAKES: Sequence[Wake] = (*notify_jobs.WAKES, *webhook_jobs.WAKES)
"""What enqueues jobs for what has become due; each worker calls it every second."""

FILE_OWNERS: Sequence[FileOwner] = (patient_files.OWNER, *imports.FILE_OWNERS, exports.OWNER)
"""What files are attached to."""

PUBLIC_EVENTS: Sequence[PublicEvent] = standard.PUBLIC_EVENTS
"""Core's own events that webhooks may be told of."""
