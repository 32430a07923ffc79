"""Portal: table of contents."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from bedside_core.api import (
    EVERYONE,
    PATIENTS,
    Feature,
    Job,
    Listener,
    Manifest,
    PatientPersonas,
    PatientReach,
    Permission,
    Platform,
    PublicEvent,
    Route,
    hookimpl,
    on,
)
from bedside_graphql.api import GraphQLPart
from bedside_portal import schema
from bedside_portal.api import (
    PortalAccountChanged,
    PortalAccounts,
    PortalHolderChanged,
    PortalInvitations,
    PortalRules,
)
from bedside_portal.beside import Beside
from bedside_portal.booking import PortalBooking
from bedside_portal.endings import JOBS, account_changed, holder_changed
from bedside_portal.own import OwnRecord
from bedside_portal.personas import PortalPersonas
from bedside_portal.reach import PortalReach
from bedside_portal.records import RECORDS
from bedside_portal.registration import Registration
from bedside_portal.routes import portal_routes
from bedside_portal.rules import may_be_held
from bedside_portal.service import PortalService
from bedside_portal.settings import PortalSettings
from bedside_portal.texts import NOTIFICATIONS
from bedside_portal.timeline import TIMELINE


@hookimpl
def manifest() -> Manifest:
    """Say who the portal is."""
    return Manifest(
        name="portal",
        title="Patient portal",
        api=">=1.0,<2",
        requires=("graphql",),
        features=(Feature(key="portal", title="Patient portal", doc="Invite patients to accounts of their own."),),
        permissions=(
            Permission(key="portal.read", doc="See patients' portal accounts and who acts for them.", roles=EVERYONE),
            Permission(
                key="portal.invite",
                doc="Invite patients and guardians to the portal, again too, and take it back.",
                roles=EVERYONE,
                feature="portal",
                check=may_be_held,
            ),
            Permission(
                key="portal.manage",
                doc="Suspend and reinstate portal accounts, and remove who acts for a patient.",
                roles=EVERYONE,
                check=may_be_held,
            ),
            Permission(
                key="portal.own", doc="See one's own record, files, and who saw them, in the portal.", roles=PATIENTS
            ),
        ),
        public_events=(
            PublicEvent(
                key="portal_account.changed",
                event=PortalAccountChanged,
                doc="A patient's portal account is in another state.",
                ids=("patient_id",),
            ),
        ),
        settings=PortalSettings,
        piccolo_app="bedside_portal.piccolo_app",
        data=RECORDS,
        timeline=(TIMELINE,),
        notifications=NOTIFICATIONS,
    )


@hookimpl
def services(platform: Platform) -> Mapping[type[Any], object]:
    """Provide what the portal answers, and tell sign-in whom an account may act for."""
    portal = PortalService(platform)
    booking = PortalBooking(platform, portal)
    return {
        PortalService: portal,
        PortalAccounts: portal,
        PortalBooking: booking,
        PortalRules: booking,
        PortalInvitations: Beside(platform, portal),
        PatientPersonas: PortalPersonas(platform.clock),
        PatientReach: PortalReach(platform.clock),
        Registration: Registration(platform, portal),
        OwnRecord: OwnRecord(platform, portal),
    }


@hookimpl
def listeners(platform: Platform) -> Iterable[Listener]:
    """End what was opened while it was being ended."""
    return (
        on(PortalAccountChanged, account_changed(platform), durable=True),
        on(PortalHolderChanged, holder_changed(platform), durable=True),
    )


@hookimpl
def jobs() -> Iterable[Job]:
    """End what was to end by itself."""
    return JOBS


@hookimpl
def routes() -> list[Route]:
    """Serve the page on which invitations are followed."""
    return portal_routes()


@hookimpl
def graphql() -> GraphQLPart:
    """Contribute the portal's part of the schema."""
    return schema.PART
