"""What core itself declares, as plugins do in manifest and hooks: permissions, settings and jobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bedside_core import files, people, settings
from bedside_core.access import Permission
from bedside_core.files import FileOwner
from bedside_core.files import patients as patient_files
from bedside_core.files import sweep as file_sweep
from bedside_core.jobs.declared import Job

CORE = "core"
"""Under this name stand core's jobs, as a plugin's do under the plugin's."""

PERMISSIONS: Sequence[Permission] = (*people.PERMISSIONS, *settings.PERMISSIONS, *files.PERMISSIONS)
"""Actions on what belongs to core."""

SETTINGS: Mapping[str, type] = {"files": files.FileSettings}
"""Name, by which stored values are found and the schema names them, -> settings dataclass."""

JOBS: Sequence[Job] = (*file_sweep.JOBS,)
"""Background work, named `core.<name>`."""

FILE_OWNERS: Sequence[FileOwner] = (patient_files.OWNER,)
"""What files are attached to."""
