"""The channels that a deployment has, by its configuration; in the demo each is the outbox."""

from __future__ import annotations

from bedside_core.clock import Clock
from bedside_core.config import Config
from bedside_core.notify.channels import Way, Ways
from bedside_core.notify.channels.mail import Mail, MailServer
from bedside_core.notify.channels.outbox import Outbox
from bedside_core.notify.channels.phone import Phone, Twilio
from bedside_core.notify.channels.push import Push
from bedside_core.notify.kinds import Channel

TWILIO_PATH = "/notify/twilio"
"""Below it Twilio tells what became of a delivery."""


def ways(config: Config, clock: Clock) -> Ways:
    """Return what the operator has configured.

    Raises:
        ValueError: a variable that can't be right, named in the text.
    """
    if config.demo:
        return {channel: Outbox(channel, clock) for channel in Channel if channel is not Channel.IN_APP}
    found: dict[Channel, Way] = {}
    if config.smtp_url is not None:
        if not config.mail_sender:
            raise ValueError("BEDSIDE_SMTP_URL needs BEDSIDE_MAIL_SENDER, the address that mail comes from")
        server = MailServer.of(config.smtp_url.get_secret_value())
        found[Channel.EMAIL] = Mail(server, config.mail_sender, config.notify_seconds)
    if config.twilio_account and config.twilio_token is not None and config.twilio_sender:
        twilio = Twilio(
            config.twilio_account, config.twilio_token.get_secret_value(), config.twilio_sender, config.twilio_url
        )
        webhook = f"{config.public_url.rstrip('/')}{TWILIO_PATH}" if config.public_url else None
        found[Channel.SMS] = Phone(Channel.SMS, twilio, webhook)
        if not config.twilio_sender.startswith("MG"):  # a messaging service can't call
            found[Channel.VOICE] = Phone(Channel.VOICE, twilio, webhook)
    if config.push_key is not None:
        if not config.push_contact:
            raise ValueError("BEDSIDE_PUSH_KEY needs BEDSIDE_PUSH_CONTACT, a mailto: or https: URL")
        found[Channel.PUSH] = Push(config.push_key.get_secret_value(), config.push_contact)
    return found
