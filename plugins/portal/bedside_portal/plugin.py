"""Portal: table of contents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bedside_core.api import (
    EVERYONE,
    PATIENTS,
    Feature,
    Manifest,
    PatientPersonas,
    Permission,
    Platform,
    Route,
    hookimpl,
)
from bedside_graphql.api import GraphQLPart
from bedside_portal import schema
from bedside_portal.api import PortalAccounts
from bedside_portal.own import OwnRecord
from bedside_portal.personas import PortalPersonas
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
    return {
        PortalService: portal,
        PortalAccounts: portal,
        PatientPersonas: PortalPersonas(),
        Registration: Registration(platform, portal),
        OwnRecord: OwnRecord(platform, portal),
    }


@hookimpl
def routes() -> list[Route]:
    """Serve the page on which invitations are followed."""
    return portal_routes()


@hookimpl
def graphql() -> GraphQLPart:
    """Contribute the portal's part of the schema."""
    return schema.PART
