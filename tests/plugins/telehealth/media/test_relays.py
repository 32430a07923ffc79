"""Browsers get names at the relay that end within an hour, and nothing where there is no relay (T19)."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime
from uuid import UUID

import pytest

from bedside_telehealth.media.relays import IceServer, ice_servers
from bedside_telehealth.media.settings import MediaSettings

pytestmark = pytest.mark.rule("T19")
NOW = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)
PARTICIPANT = UUID("01890a5d-ac96-774b-bcce-b302099a8057")
SECRET = "sixteen letters!"


def test_without_a_relay_there_is_no_server_of_anybody_else() -> None:
    assert ice_servers(MediaSettings(), PARTICIPANT, NOW) == ()


def test_a_name_lasts_an_hour_and_its_password_is_what_the_relay_computes() -> None:
    given = {"browser_turn_urls": "turns:a.example:443?transport=tcp, turn:a.example", "turn_secret": SECRET}
    (server,) = ice_servers(MediaSettings.model_validate(given), PARTICIPANT, NOW)
    name = f"{int(NOW.timestamp()) + 3600}:{PARTICIPANT}"
    password = base64.b64encode(hmac.new(SECRET.encode(), name.encode(), hashlib.sha1).digest()).decode()
    assert server == IceServer(("turns:a.example:443?transport=tcp", "turn:a.example"), name, password)


def test_relay_and_secret_go_together_and_the_secret_is_not_shown() -> None:
    with pytest.raises(ValueError, match="go together"):
        MediaSettings.model_validate({"browser_turn_urls": "turn:a.example"})
    with pytest.raises(ValueError, match="are turn: or turns: URLs"):
        MediaSettings.model_validate({"browser_turn_urls": "https://a.example", "turn_secret": SECRET})
    shown = MediaSettings.model_validate({"browser_turn_urls": "turn:a.example", "turn_secret": SECRET})
    assert SECRET not in repr(shown)
