"""The seam to aiortc: a peer connection that keeps its SDP, ICE and DTLS, and leaves every packet to our path.

aiortc has no public way to pass packets through. Its receivers and senders, which decode and encode in threads, are
replaced by ones that do nothing; the path takes packets straight from the socket (see `ice`). Nothing is patched
globally, and no `track` event is listened to: what is forwarded was registered for a grant (T11).
"""

# Name-mangled methods and underscored attributes are the seam that this module is; aiortc's minor version is pinned.
# pyright: reportPrivateUsage=false, reportUnknownMemberType=false, reportAttributeAccessIssue=false
# pyright: reportUnknownVariableType=false, reportIncompatibleMethodOverride=false, reportUnknownArgumentType=false

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, Literal

import structlog
from aiortc import (
    RTCBundlePolicy,
    RTCConfiguration,
    RTCIceServer,
    RTCPeerConnection,
    RTCRtpTransceiver,
    RTCSessionDescription,
)
from aiortc.codecs import get_capabilities
from aiortc.rtcconfiguration import RTCIceTransportPolicy
from aiortc.rtcdtlstransport import RTCDtlsTransport
from aiortc.rtcicetransport import RTCIceCandidate
from aiortc.rtcrtpparameters import RTCRtpCodecCapability
from aiortc.rtcrtpreceiver import RTCRtpReceiver
from aiortc.rtcrtpsender import RTCRtpSender

from bedside_telehealth.media import srtp
from bedside_telehealth.media.candidates import Address
from bedside_telehealth.media.ice import listen_as_set
from bedside_telehealth.media.leg import Leg
from bedside_telehealth.media.path import MediaPath
from bedside_telehealth.media.settings import MediaSettings

log = structlog.get_logger("bedside.telehealth.media")

_H264 = "42e01f"
_STEP_SECONDS = 8.0
"""How long one step of a negotiation may take; gathering candidates is the longest."""


class _Receiver(RTCRtpReceiver):
    """Receives nothing: the path does."""

    async def receive(self, parameters: object) -> None:
        """Start no decoder."""

    async def stop(self) -> None:
        """Have nothing to stop."""


class _Sender(RTCRtpSender):
    """Sends nothing: the legs do."""

    async def send(self, parameters: object) -> None:
        """Start no encoder."""

    async def stop(self) -> None:
        """Have nothing to stop."""


class ForwardingConnection(RTCPeerConnection):
    """One of a seat's two connections.

    Args:
        settings: how it is reached.
        over: called once when it has ended by itself: the browser closed it, or ICE or DTLS failed.
    """

    def __init__(self, settings: MediaSettings, over: Callable[[], None]) -> None:
        super().__init__(_configuration(settings))
        self._settings, self._over = settings, over
        self.path = MediaPath()
        self.since = time.monotonic()
        self.asked = False
        """Whether a negotiation has begun, so that it can come too late."""
        self._dtls: RTCDtlsTransport | None = None

    @property
    def standing(self) -> bool:
        """Whether packets can pass."""
        return self.path.receiving is not None

    # --- what aiortc calls -------------------------------------------------------------------------

    def _RTCPeerConnection__createDtlsTransport(self) -> RTCDtlsTransport:
        dtls: RTCDtlsTransport = super()._RTCPeerConnection__createDtlsTransport()
        self._dtls = dtls
        listen_as_set(dtls.transport._connection, self.path, self._settings)
        dtls.on("statechange", self._changed)
        dtls.transport.on("statechange", self._changed)
        return dtls

    def _RTCPeerConnection__createTransceiver(
        self, direction: str, kind: str, sender_track: None = None
    ) -> RTCRtpTransceiver:
        made: Any = super()._RTCPeerConnection__createTransceiver(direction, kind, sender_track)
        receiver, sender = _Receiver(kind, made.receiver.transport), _Sender(kind, made.sender.transport)
        sender._stream_id = made.sender._stream_id
        receiver._set_rtcp_ssrc(sender._ssrc)
        made._RTCRtpTransceiver__receiver, made._RTCRtpTransceiver__sender = receiver, sender
        return made

    async def _RTCPeerConnection__connect(self) -> None:
        # A task that nobody awaits: what it raises would be told to the event loop only.
        try:
            await super()._RTCPeerConnection__connect()
        except Exception as exc:
            if not self.path.closed:
                log.warning("media connection failed", error=repr(exc))
                self._end()

    def _changed(self) -> None:
        dtls = self._dtls
        if dtls is None:
            return
        if dtls.state == "connected":
            if self.path.receiving is None:
                for protocol in dtls.transport._connection._protocols:
                    protocol.route()
                self.path.start(srtp.Keys(dtls._rx_srtp), srtp.Keys(dtls._tx_srtp))
        elif dtls.state in {"closed", "failed"} or dtls.transport.state == "failed":
            self._end()

    def _end(self) -> None:
        if not self.path.closed:
            self.path.close()
            self._over()

    # --- what we call ------------------------------------------------------------------------------

    async def take_offer(self, text: str) -> str:
        """Take a browser's offer, read and rewritten before, and return our answer."""
        self._begin()
        async with asyncio.timeout(_STEP_SECONDS):
            await self.setRemoteDescription(RTCSessionDescription(text, "offer"))
            if not self.standing and self._dtls is not None:
                # As the DTLS server it is we who choose the cipher: AES-GCM, which costs half of SHA-1.
                self._dtls._set_role("server")
            await self.setLocalDescription(await self.createAnswer())
        return self.localDescription.sdp

    async def make_offer(self) -> str:
        """Return our offer of all lines as they are now."""
        self._begin()
        async with asyncio.timeout(_STEP_SECONDS):
            await self.setLocalDescription(await self.createOffer())
        return self.localDescription.sdp

    async def take_answer(self, text: str) -> None:
        """Take a browser's answer, read and rewritten before."""
        async with asyncio.timeout(_STEP_SECONDS):
            await self.setRemoteDescription(RTCSessionDescription(text, "answer"))

    async def take_address(self, address: Address) -> None:
        """Take an address that the browser may be reached at."""
        if self._dtls is not None and not self.path.closed:
            candidate = RTCIceCandidate(
                component=1,
                foundation=address.foundation,
                ip=address.host,
                port=address.port,
                priority=address.priority,
                protocol="udp",
                type=address.type,
            )
            await self._dtls.transport.addRemoteCandidate(candidate)

    def _begin(self) -> None:
        if not self.asked:
            self.asked, self.since = True, time.monotonic()

    async def finish(self) -> None:
        """Close it, after `path.close()` has cut it."""
        self.path.close()
        await self.close()


class Slot:
    """One line of a receiving connection, which is used again when its track has gone: lines are never removed."""

    def __init__(self, connection: ForwardingConnection, kind: str) -> None:
        self._line: Any = connection.addTransceiver(kind, direction="sendonly")
        self._path = connection.path
        self.leg: Leg | None = None
        self.kind = kind

    @property
    def mid(self) -> str:
        """Its name in the descriptions; empty before the first offer."""
        return self._line.mid or ""

    @property
    def direction(self) -> Literal["sendonly", "inactive"]:
        """What was last offered."""
        return "sendonly" if self._line.direction == "sendonly" else "inactive"

    def offer(self, codec: str, stream: str) -> None:
        """Have it offered with a codec, as part of a stream: what the browser plays in step."""
        self._line.setCodecPreferences(_capabilities(self.kind, codec))
        self._line.direction = "sendonly"
        self._line.sender._stream_id = stream

    def rest(self) -> None:
        """Have it offered as inactive."""
        self._line.direction = "inactive"
        if self.leg is not None:
            self.leg.detach()

    def ready(self) -> Leg:
        """Return its leg, with the payload types that the last offer gave it."""
        codecs = self._line._codecs
        payload = codecs[0].payloadType
        repair = next((each.payloadType for each in codecs[1:] if each.parameters.get("apt") == payload), None)
        if self.leg is None:
            sender = self._line.sender
            self.leg = Leg(self._path, sender._ssrc, sender._rtx_ssrc, payload, repair)
            self._path.carry(self.leg)
        self.leg.payload, self.leg.repair_payload = payload, repair
        return self.leg


def _capabilities(kind: str, codec: str) -> list[RTCRtpCodecCapability]:
    wanted: list[RTCRtpCodecCapability] = []
    for each in get_capabilities(kind).codecs:
        name = each.mimeType.split("/")[1].lower()
        if name == "rtx" or (name == codec and each.parameters.get("profile-level-id", _H264) == _H264):
            wanted.append(each)
    return wanted


def _configuration(settings: MediaSettings) -> RTCConfiguration:
    servers: list[RTCIceServer] = []
    if settings.stun_url is not None:
        servers.append(RTCIceServer(settings.stun_url))
    if settings.turn_url is not None:
        password = settings.turn_password.get_secret_value() if settings.turn_password is not None else None
        servers.append(RTCIceServer(settings.turn_url, username=settings.turn_name or None, credential=password))
    # Never None: that is a public STUN server.
    return RTCConfiguration(
        iceServers=servers,
        iceTransportPolicy=RTCIceTransportPolicy.RELAY if settings.relay_only else RTCIceTransportPolicy.ALL,
        bundlePolicy=RTCBundlePolicy.MAX_BUNDLE,
    )
