"""The GraphQL of plans: a practice's plan, a preview, the operator's changes, and hearing of them at once."""

import enum
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from datetime import datetime
from typing import Annotated
from uuid import UUID

import strawberry

from bedside_core.api import InvalidInput, NotFound, Role, Tier
from bedside_graphql.api import GraphQLPart, Info, Practice, Zone, gate, uuid_of
from bedside_plans import api
from bedside_plans.service import PlanService


@strawberry.enum(description="What stands beside the tier in a practice's plan.")
class PlanItemKind(enum.Enum):
    """The kinds of items, described for clients."""

    OVERRIDE = strawberry.enum_value("override", description="A feature switched on or off, whatever the tier says.")
    ADD_ON = strawberry.enum_value("add_on", description="A feature that the practice has besides those of its tier.")
    LIMIT = strawberry.enum_value("limit", description="A limit of the practice's own.")


PracticeId = Annotated[strawberry.ID, strawberry.argument(description="The practice.")]
OneOfPractices = Annotated[
    strawberry.ID | None,
    strawberry.argument(description="The practice: the operator says which, everybody else has their own."),
]
FeatureKey = Annotated[str, strawberry.argument(description="The feature's key, as in `practice.features`.")]
EndsAt = Annotated[datetime | None, strawberry.argument(description="From when on it no longer counts; null is never.")]


@strawberry.type(description="A tier that a practice tries; it steps down to its own by itself.")
class PlanTrial:
    """A trial under way."""

    tier: Tier = strawberry.field(description="The tier that is tried.")
    ends_at: datetime = strawberry.field(description="When the practice is on its own tier again.")


@strawberry.type(description="A feature that the operator has switched on or off for a practice, whatever its tier.")
class PlanOverride:
    """An override in force."""

    feature: str = strawberry.field(description="The feature's key.")
    enabled: bool = strawberry.field(description="Whether it is on.")
    ends_at: datetime | None = strawberry.field(description="From when on it no longer counts; null is never.")


@strawberry.type(description="A feature that a practice has besides those of its tier.")
class PlanAddOn:
    """An add-on in force."""

    feature: str = strawberry.field(description="The feature's key.")
    ends_at: datetime | None = strawberry.field(description="From when on it no longer counts; null is never.")


@strawberry.type(description="How much there may be of something.")
class PlanLimit:
    """A limit in force."""

    key: str = strawberry.field(description="What is limited, e.g. `storage_gb`.")
    amount: int | None = strawberry.field(description="How much there may be; null is no limit.")
    own: bool = strawberry.field(description="Whether it is the practice's own instead of the tier's.")
    ends_at: datetime | None = strawberry.field(description="From when on an own limit no longer counts.")


@strawberry.type(description="A practice's plan: what counts now. Which features that gives is in `practice.features`.")
class Plan:
    """A plan."""

    practice_id: strawberry.ID = strawberry.field(description="Whose plan.")
    tier: Tier = strawberry.field(description="The practice's own tier.")
    trial: PlanTrial | None = strawberry.field(description="A higher tier that it tries.")
    overrides: list[PlanOverride] = strawberry.field(description="Features switched on or off, by key.")
    add_ons: list[PlanAddOn] = strawberry.field(description="Features besides those of the tier, by key.")
    changed_at: datetime | None = strawberry.field(description="When it last changed; null is never.")

    @strawberry.field(description="The limits in force, by key.")
    async def limits(self, info: Info) -> list[PlanLimit]:
        """Return the limits."""
        return [
            PlanLimit(
                key=limit.key,
                amount=limit.amount,
                own=limit.own is not None,
                ends_at=limit.own.ends_at if limit.own else None,
            )
            for limit in await _plans(info).limits(uuid_of(self.practice_id))
        ]


@strawberry.type(description="A feature that would be gained or lost.")
class PlanFeature:
    """A feature in a preview."""

    key: str = strawberry.field(description="Stable name.")
    title: str = strawberry.field(description="What people read.")
    description: str = strawberry.field(description="What one has with it.")


@strawberry.type(description="A limit that would change; null is no limit.")
class PlanLimitChange:
    """A limit in a preview."""

    key: str = strawberry.field(description="What is limited.")
    before: int | None = strawberry.field(description="How much there may be now.")
    after: int | None = strawberry.field(description="How much there might be then.")
    shrinks: bool = strawberry.field(description="Whether less would be allowed.")


@strawberry.type(
    description="What a change to a tier would mean now. It deletes nothing: what was made with a feature that "
    "would be lost stays and can be read."
)
class PlanPreview:
    """A preview of `changePlan`."""

    tier: Tier = strawberry.field(description="The tier in question.")
    lost: list[PlanFeature] = strawberry.field(description="What could no longer be used, by key.")
    gained: list[PlanFeature] = strawberry.field(description="What could be used besides, by key.")
    limits: list[PlanLimitChange] = strawberry.field(description="The limits that would change, by key.")


def _plans(info: Info) -> PlanService:
    return info.context.platform.service(PlanService)


def _whose(info: Info, practice_id: strawberry.ID | None) -> UUID:
    """Return the practice asked about: the operator names one, a member has one.

    Raises:
        InvalidInput: the operator named none.
        NotFound: a member named another.
    """
    actor = info.context.signed_in()
    named = uuid_of(practice_id) if practice_id is not None else None
    if actor.role is Role.OPERATOR:
        if named is None:
            raise InvalidInput("The operator has to say which practice.", field=("practiceId",))
        return named
    own, _ = actor.in_practice()
    if named not in {None, own}:
        raise NotFound("There is nothing with this id that you may see.")
    return own


async def _existing(info: Info, practice_id: UUID) -> UUID:
    """Return the practice's id if there is one.

    Raises:
        NotFound: there is none.
    """
    if await info.context.platform.people.practice(practice_id) is None:
        raise NotFound("There is nothing with this id that you may see.")
    return practice_id


def _plan(info: Info, plan: api.Plan) -> Plan:
    now = info.context.platform.clock.now()
    items = [item for item in plan.items if item.counts(now)]
    trial = plan.trial if plan.trial is not None and now < plan.trial.ends_at else None
    return Plan(
        practice_id=strawberry.ID(str(plan.practice_id)),
        tier=plan.tier,
        trial=PlanTrial(tier=trial.tier, ends_at=trial.ends_at) if trial else None,
        overrides=[
            PlanOverride(feature=item.key, enabled=item.enabled, ends_at=item.ends_at)
            for item in items
            if item.kind is api.ItemKind.OVERRIDE
        ],
        add_ons=[
            PlanAddOn(feature=item.key, ends_at=item.ends_at) for item in items if item.kind is api.ItemKind.ADD_ON
        ],
        changed_at=plan.changed_at,
    )


def _features(info: Info, keys: Iterable[str]) -> list[PlanFeature]:
    declared = info.context.platform.access.features
    return [PlanFeature(key=key, title=declared[key].title, description=declared[key].doc) for key in keys]


@strawberry.type
class PlansQuery:
    """Queries of plans."""

    @strawberry.field(description="A practice's plan.", extensions=[gate("plans.read")])
    async def plan(self, info: Info, practice_id: OneOfPractices = None) -> Plan | None:
        """Return a plan."""
        whose = await _existing(info, _whose(info, practice_id))
        return _plan(info, await _plans(info).plan(whose))

    @strawberry.field(
        description="What another tier would give and take, before it is chosen.", extensions=[gate("plans.preview")]
    )
    async def plan_preview(
        self,
        info: Info,
        tier: Annotated[Tier, strawberry.argument(description="The tier in question.")],
        practice_id: OneOfPractices = None,
    ) -> PlanPreview | None:
        """Return a preview."""
        whose = await _existing(info, _whose(info, practice_id))
        change = await _plans(info).preview(whose, tier)
        return PlanPreview(
            tier=tier,
            lost=_features(info, change.lost),
            gained=_features(info, change.gained),
            limits=[
                PlanLimitChange(key=limit.key, before=limit.before, after=limit.after, shrinks=limit.shrinks)
                for limit in change.limits
            ],
        )


@strawberry.type
class PlansMutation:
    """Mutations of plans, the operator's. Each may be repeated without harm and counts at once, on open sockets too."""

    @strawberry.mutation(
        description="Put a practice on a tier, which ends a trial; or, with `trialUntil`, let it try a higher tier, "
        "from which it steps down by itself. Nothing is deleted: see `planPreview`.",
        extensions=[gate("plans.change")],
    )
    async def change_plan(
        self,
        info: Info,
        practice_id: PracticeId,
        tier: Annotated[Tier, strawberry.argument(description="The tier.")],
        trial_until: Annotated[
            datetime | None,
            strawberry.argument(description="Until when the tier is tried; null puts the practice on it."),
        ] = None,
    ) -> Plan | None:
        """Change the tier."""
        by = info.context.signed_in().account_id
        changed = await _plans(info).change_plan(uuid_of(practice_id), tier, trial_until=trial_until, by=by)
        return _plan(info, changed)

    @strawberry.mutation(
        description="Switch a feature on or off for a practice, whatever its tier.", extensions=[gate("plans.change")]
    )
    async def set_plan_override(
        self,
        info: Info,
        practice_id: PracticeId,
        feature: FeatureKey,
        enabled: Annotated[bool, strawberry.argument(description="Whether it is on.")],
        ends_at: EndsAt = None,
    ) -> Plan | None:
        """Set an override."""
        item = api.PlanItem(kind=api.ItemKind.OVERRIDE, key=feature, enabled=enabled, ends_at=ends_at)
        return await _set(info, practice_id, item)

    @strawberry.mutation(
        description="Give a practice a feature besides those of its tier.", extensions=[gate("plans.change")]
    )
    async def set_plan_add_on(
        self, info: Info, practice_id: PracticeId, feature: FeatureKey, ends_at: EndsAt = None
    ) -> Plan | None:
        """Set an add-on."""
        return await _set(info, practice_id, api.PlanItem(kind=api.ItemKind.ADD_ON, key=feature, ends_at=ends_at))

    @strawberry.mutation(
        description="Give a practice a limit of its own instead of its tier's.", extensions=[gate("plans.change")]
    )
    async def set_plan_limit(
        self,
        info: Info,
        practice_id: PracticeId,
        key: Annotated[str, strawberry.argument(description="What is limited, as in `plan.limits`.")],
        amount: Annotated[
            int | None, strawberry.argument(description="How much there may be; null is no limit.")
        ] = None,
        ends_at: EndsAt = None,
    ) -> Plan | None:
        """Set a limit."""
        item = api.PlanItem(kind=api.ItemKind.LIMIT, key=key, amount=amount, ends_at=ends_at)
        return await _set(info, practice_id, item)

    @strawberry.mutation(
        description="Take an override, add-on or own limit back; nothing happens where there is none.",
        extensions=[gate("plans.change")],
    )
    async def remove_plan_item(
        self,
        info: Info,
        practice_id: PracticeId,
        kind: Annotated[PlanItemKind, strawberry.argument(description="Which of them.")],
        key: Annotated[str, strawberry.argument(description="The feature's key, or the limit's.")],
    ) -> Plan | None:
        """Remove an item."""
        by = info.context.signed_in().account_id
        found = api.ItemKind(kind.value)
        return _plan(info, await _plans(info).remove_item(uuid_of(practice_id), found, key, by=by))


async def _set(info: Info, practice_id: strawberry.ID, item: api.PlanItem) -> Plan:
    by = info.context.signed_in().account_id
    return _plan(info, await _plans(info).set_item(uuid_of(practice_id), item, by=by))


@strawberry.type
class PlansSubscription:
    """Subscriptions of plans."""

    @strawberry.subscription(
        description="The practice at once, and again whenever its plan, or what its people may do, has changed: ask "
        "for `features` and `plan` of it and a client is never behind.",
        extensions=[gate("plans.read")],
    )
    async def plan_changed(self, info: Info) -> AsyncGenerator[Practice, None]:
        """Follow one's practice."""
        practice_id, _ = info.context.signed_in().in_practice()
        async with aclosing(_plans(info).changes(practice_id)) as changes:
            async for _ in changes:
                found = await info.context.platform.people.practice(practice_id)
                if found is not None:
                    yield Practice(id=strawberry.ID(str(found.id)), name=found.name, zone=Zone(found.zone))


@strawberry.type(name="Practice")
class PracticePlan:
    """What plans add to a practice."""

    id: strawberry.Private[strawberry.ID]

    @strawberry.field(description="The practice's plan.", extensions=[gate("plans.read")])
    async def plan(self, info: Info) -> Plan | None:
        """Return the plan."""
        return _plan(info, await _plans(info).plan(uuid_of(self.id)))


PART = GraphQLPart(query=PlansQuery, mutation=PlansMutation, subscription=PlansSubscription, extend=(PracticePlan,))
