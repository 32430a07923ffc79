"""The delivery log of notifications, their texts and a trial, for those who lead a practice."""

from datetime import datetime
from typing import Annotated

import strawberry

from bedside_core import errors
from bedside_core.database import unit
from bedside_core.notify import optouts, record, wording
from bedside_core.notify.kinds import Channel, Fact, Language, NotificationKind, Part, Recipient
from bedside_core.notify.texts import sample
from bedside_core.paging import USUAL_PAGE
from bedside_graphql.context import Info
from bedside_graphql.gate import gate
from bedside_graphql.part import GraphQLPart
from bedside_graphql.types import After, ClientId, Connection, First, client_id_of, connection, uuid_of


@strawberry.type(description="One attempt at a delivery.")
class DeliveryAttempt:
    """An attempt."""

    number: int = strawberry.field(description="From 1.")
    began_at: datetime = strawberry.field(description="When it began.")
    ended_at: datetime | None = strawberry.field(description="When it ended; null while it is under way.")
    outcome: str | None = strawberry.field(description="`sent`, `temporary`, `permanent` or `interrupted`.")
    reason: str | None = strawberry.field(description="Why it failed, if it did.")


@strawberry.type(description="A notification on its way to one address.")
class Delivery:
    """A delivery."""

    id: strawberry.ID = strawberry.field(description="Opaque id.")
    kind: str = strawberry.field(description="What it is about, as in `notificationTemplates`.")
    recipient: str = strawberry.field(description="`member`, `patient` or `address`.")
    recipient_id: strawberry.ID | None = strawberry.field(description="Id of the member or patient.")
    channel: Channel = strawberry.field(description="On which channel.")
    address: str = strawberry.field(
        description="Where to; empty for the application, browsers, and where there is none."
    )
    state: str = strawberry.field(
        description="`waiting`, `sent`, `delivered`, `failed`, `impossible`, `switched_off` or `cancelled`."
    )
    reason: str | None = strawberry.field(description="Why it failed, waits again or is not possible.")
    created_at: datetime = strawberry.field(description="When it was due.")
    due_at: datetime = strawberry.field(description="When it is tried next, while it waits.")
    ended_at: datetime | None = strawberry.field(description="When it was settled.")

    @strawberry.field(description="Every attempt, in order.")
    async def attempts(self, info: Info) -> list[DeliveryAttempt]:
        """Return the attempts, of all deliveries of a page in one statement."""
        found = await info.context.loader(record.attempts).load(uuid_of(self.id))
        return [
            DeliveryAttempt(
                number=attempt.number,
                began_at=attempt.began_at,
                ended_at=attempt.ended_at,
                outcome=attempt.outcome,
                reason=attempt.reason,
            )
            for attempt in found or ()
        ]


@strawberry.type(description="One part of a notification's text.")
class NotificationTemplate:
    """A part of a text."""

    language: Language = strawberry.field(description="Its language.")
    part: Part = strawberry.field(description="Which part of the text.")
    template: str = strawberry.field(description="The text in force, with placeholders.")
    own: bool = strawberry.field(description="Whether it is the practice's own.")


@strawberry.type(description="A kind of notification, with its texts.")
class NotificationTemplates:
    """A kind of notification."""

    kind: str = strawberry.field(description="Stable name.")
    description: str = strawberry.field(description="When it is sent.")
    channels: list[Channel] = strawberry.field(description="The channels it takes.")
    required: list[Channel] = strawberry.field(description="Those that nobody can switch off.")
    overridable: bool = strawberry.field(
        description="Whether the practice can put texts of its own in place; not of what concerns an account."
    )
    placeholders: list[str] = strawberry.field(description="What its texts may name, and nothing else (N4).")
    templates: list[NotificationTemplate] = strawberry.field(description="The texts in force.")


@strawberry.type(description="What a notification would say.")
class NotificationPreview:
    """A preview with made-up facts."""

    subject: str = strawberry.field(description="Its title.")
    text: str = strawberry.field(description="What it says.")
    html: str | None = strawberry.field(description="The same as HTML, of a mail.")


Kind = Annotated[str, strawberry.argument(description="The kind of notification.")]
OfLanguage = Annotated[Language, strawberry.argument(description="The language of the text.")]


def _delivery(found: record.Delivery) -> Delivery:
    return Delivery(
        id=strawberry.ID(str(found.id)),
        kind=found.kind,
        recipient=found.recipient,
        recipient_id=strawberry.ID(str(found.recipient_id)) if found.recipient_id else None,
        channel=Channel(found.channel),
        address=found.address,
        state=found.state,
        reason=found.reason,
        created_at=found.created_at,
        due_at=found.due_at,
        ended_at=found.ended_at,
    )


async def _templates(info: Info, kinds: list[NotificationKind]) -> list[NotificationTemplates]:
    own = await wording.wording()
    return [
        NotificationTemplates(
            kind=kind.key,
            description=kind.doc,
            channels=list(kind.every_channel),
            required=list(kind.required),
            overridable=not kind.of_account,
            placeholders=sorted(kind.placeholders),
            templates=[
                NotificationTemplate(
                    language=language, part=part, template=template, own=part in own.get((kind.key, language), {})
                )
                for language in Language
                for part, template in {**kind.texts[language], **own.get((kind.key, language), {})}.items()
            ],
        )
        for kind in kinds
    ]


@strawberry.type
class DeliveriesQuery:
    """Queries of deliveries and texts."""

    @strawberry.field(
        description="What was sent to whom, the newest first, with each attempt.",
        extensions=[gate("notifications.log")],
    )
    async def delivery_log(
        self,
        info: Info,
        recipient_id: Annotated[
            strawberry.ID | None, strawberry.argument(description="To this member or patient alone.")
        ] = None,
        first: First = USUAL_PAGE,
        after: After = None,
    ) -> Connection[Delivery] | None:
        """Return a page of deliveries."""
        whom = uuid_of(recipient_id) if recipient_id is not None else None
        page = await record.deliveries(info.context.signed_in(), recipient_id=whom, first=first, after=after)
        return connection(page, _delivery)

    @strawberry.field(
        description="Every kind of notification with its texts in force.", extensions=[gate("notifications.texts")]
    )
    async def notification_templates(self, info: Info) -> list[NotificationTemplates] | None:
        """Return the kinds, by name."""
        info.context.signed_in().in_practice()
        kinds = info.context.platform.notify.kinds
        return await _templates(info, [kinds[key] for key in sorted(kinds)])

    @strawberry.field(
        description="What a notification says on a channel, with made-up facts.",
        extensions=[gate("notifications.texts")],
    )
    async def notification_preview(
        self,
        info: Info,
        kind: Kind,
        language: OfLanguage,
        channel: Annotated[Channel, strawberry.argument(description="On which channel.")],
        part: Annotated[
            Part | None, strawberry.argument(description="The part that `template` stands for, to try it.")
        ] = None,
        template: Annotated[
            str | None, strawberry.argument(description="A text to try in place of the one in force.")
        ] = None,
    ) -> NotificationPreview | None:
        """Return a preview.

        Raises:
            errors.NotFound: there is no such kind.
            errors.InvalidInput: it does not take this channel, or the template can't be used.
        """
        practice_id, _ = info.context.signed_in().in_practice()
        platform = info.context.platform
        declared = platform.notify.kind(kind)
        if channel not in declared.every_channel:
            raise errors.InvalidInput("This notification does not take this channel.", field=("channel",))
        own, tried = (await wording.wording()).get((kind, language), {}), dict[Part, str]()
        if (part is None) != (template is None):
            raise errors.InvalidInput("To try a text, give `part` and `template`.", field=("part",))
        if part is not None and template is not None:
            wording.check(declared, part, template)
            tried[part] = template
        practice = await platform.people.practice(practice_id)
        facts = {**sample(declared), **({"practice": practice.name, "zone": practice.zone} if practice else {})}
        said = wording.said(declared, channel, own, facts, language=language, tried=tried)
        return NotificationPreview(subject=said.subject, text=said.text, html=said.html)


@strawberry.type
class DeliveriesMutation:
    """Mutations of texts, and a trial."""

    @strawberry.mutation(
        description="Put a text of the practice's own in place of ours.", extensions=[gate("notifications.texts")]
    )
    async def set_notification_template(
        self,
        info: Info,
        kind: Kind,
        language: OfLanguage,
        part: Annotated[Part, strawberry.argument(description="The part of the text.")],
        template: Annotated[str, strawberry.argument(description="The text, with `{{ placeholders }}`.")],
    ) -> NotificationTemplates | None:
        """Set a template."""
        practice_id, _ = info.context.signed_in().in_practice()
        declared = info.context.platform.notify.kind(kind)
        await wording.override(practice_id, declared, language, part, template)
        return (await _templates(info, [declared]))[0]

    @strawberry.mutation(description="Take up our text again.", extensions=[gate("notifications.texts")])
    async def reset_notification_template(
        self,
        info: Info,
        kind: Kind,
        language: OfLanguage,
        part: Annotated[
            Part | None, strawberry.argument(description="The part of the text; all where none is given.")
        ] = None,
    ) -> NotificationTemplates | None:
        """Reset templates."""
        info.context.signed_in().in_practice()
        declared = info.context.platform.notify.kind(kind)
        await wording.reset(declared, language, part)
        return (await _templates(info, [declared]))[0]

    @strawberry.mutation(
        description="Text a number again that has written STOP, be it a patient's, a guardian's or a contact's, now "
        "that START was written from it. Tells whether it had; where Twilio still refuses it, that is logged.",
        extensions=[gate("patients.update")],
    )
    async def take_back_opt_out(
        self,
        info: Info,
        phone: Annotated[
            str,
            strawberry.argument(description="As the delivery log has it, or as it is dialled there."),
        ],
    ) -> bool | None:
        """Take back the opt-out of a number."""
        info.context.signed_in().in_practice()
        return await optouts.take_back(info.context.platform.people, phone)

    @strawberry.mutation(
        description="Send oneself a notification on every channel, to see what arrives.",
        extensions=[gate("notifications.trial")],
    )
    async def try_notifications(self, info: Info, client_id: ClientId) -> strawberry.ID | None:
        """Send a trial; a retry with the same clientId sends no second one."""
        platform = info.context.platform
        practice_id, person_id = info.context.signed_in().in_practice()
        member = (await platform.people.members_by_id([person_id]))[person_id]
        async with unit() as work:
            made = await platform.notify.send(
                work,
                "core.trial",
                to=Recipient.member(person_id, practice_id),
                data={Fact.SENDER: member.name, Fact.TIME: platform.clock.now(), Fact.LINK: "/"},
                dedupe=client_id_of(client_id),
            )
        return strawberry.ID(str(made)) if made else None


PART = GraphQLPart(query=DeliveriesQuery, mutation=DeliveriesMutation)
