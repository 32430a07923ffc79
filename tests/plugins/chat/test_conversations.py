"""Direct conversations, driven over HTTP."""

from __future__ import annotations

import asyncio

import pytest
from plugins.chat.ward import READ, SEND, START, Ward

from bedside_core.auth import Role
from bedside_core.testing import statements


@pytest.mark.rule("C1")
async def test_a_pair_has_one_direct_conversation_whoever_starts_it(ward: Ward) -> None:
    again = await ward.deployment.data(START, ward.ben.token, m=ward.ada.id, c="start-2")
    assert again["startConversation"]["id"] == ward.conversation
    assert {person["name"] for person in again["startConversation"]["participants"]["nodes"]} == {
        ward.ada.member.name,
        ward.ben.member.name,
    }
    for person in (ward.ada, ward.ben):
        data = await ward.deployment.data("{ conversations { nodes { id kind } } }", person.token)
        assert data["conversations"]["nodes"] == [{"id": ward.conversation, "kind": "DIRECT"}]


@pytest.mark.rule("G9")
async def test_starting_with_the_same_client_id_returns_the_first_and_refuses_another(ward: Ward) -> None:
    again = await ward.deployment.data(START, ward.ada.token, m=ward.ben.id, c="start-1")
    assert again["startConversation"]["id"] == ward.conversation
    carl = await ward.deployment.person(ward.practice, name="Carl")
    assert await ward.deployment.code(START, ward.ada.token, m=carl.id, c="start-1") == "CONFLICT"
    data = await ward.deployment.data("{ conversations { nodes { id } } }", carl.token)
    assert data["conversations"]["nodes"] == []


CAN = 'query($t: ID) { can(action: "chat.start", target: $t) { allowed rule code message } }'


@pytest.mark.rule("C5")
async def test_whom_one_can_start_with_is_told_beforehand_and_kept(ward: Ward) -> None:
    carl = await ward.deployment.person(ward.practice, name="Carl")
    eve = await ward.deployment.person(await ward.deployment.practice("Hill"), name="Eve")
    missing = "0199aaaa-0000-7000-8000-000000000000"
    nobody, oneself = "There is no member with this id that you may see.", "A conversation needs somebody else."
    for target, code, message in (
        (missing, "NOT_FOUND", nobody),
        (eve.id, "NOT_FOUND", nobody),  # of another practice: told as if there were nobody
        (ward.conversation, "NOT_FOUND", nobody),
        (ward.ada.id, "INVALID_INPUT", oneself),
    ):
        told = await ward.deployment.data(CAN, ward.ada.token, t=target)
        assert told["can"] == {"allowed": False, "rule": "MEMBERSHIP", "code": code, "message": message}
        [error] = (await ward.deployment.ask(START, ward.ada.token, m=target, c="s"))["errors"]
        assert (error["message"], error["extensions"]["code"]) == (message, code)
        assert error["extensions"]["field"] == ["memberId"]
    assert await ward.count("conversation") == await ward.count("conversation_start") == 1
    allowed = {"can": {"allowed": True, "rule": None, "code": None, "message": None}}
    for target in (carl.id, ward.ben.id, None):
        assert await ward.deployment.data(CAN, ward.ada.token, t=target) == allowed
    with statements() as ran:
        await ward.deployment.data(START, ward.ada.token, m=carl.id, c="s")
    # who asks, the plan, the other, both names; the conversation, who takes part, its clientId; it read back, the
    # participants, how they are shown, their names; in the same transaction webhooks are asked about, both inboxes are
    # told in one statement (C16), and the trail is written
    assert len(ran) == 14, ran
    assert await ward.count("conversation") == 2


@pytest.mark.rule("C13")
@pytest.mark.rule("G9")
async def test_a_retry_returns_the_first_message_also_when_both_come_at_once(ward: Ward) -> None:
    first, *again = await asyncio.gather(*(ward.send("Room 2 is free", "m-1") for _ in range(8)))
    assert again == [first] * 7
    assert await ward.messages() == ["Room 2 is free"]
    assert await ward.deployment.code(SEND, ward.ada.token, i=ward.conversation, b="Other", c="m-1") == "CONFLICT"
    assert (await ward.send("Thanks", "m-1", ward.ben))["body"] == "Thanks"
    assert await ward.messages() == ["Room 2 is free", "Thanks"]


@pytest.mark.rule("G2")
async def test_messages_are_read_back_by_page_in_both_directions(ward: Ward) -> None:
    for number in range(1, 8):
        await ward.send(f"m{number}", f"c-{number}")
    bodies, page = await ward.read(first=3)
    assert (bodies, page["hasNextPage"], page["hasPreviousPage"]) == (["m1", "m2", "m3"], True, False)
    bodies, page = await ward.read(first=100, after=page["endCursor"])
    assert (bodies, page["hasNextPage"], page["hasPreviousPage"]) == (["m4", "m5", "m6", "m7"], False, True)
    bodies, page = await ward.read(last=2)
    assert (bodies, page["hasNextPage"], page["hasPreviousPage"]) == (["m6", "m7"], False, True)
    bodies, page = await ward.read(last=5, before=page["startCursor"])
    assert (bodies, page["hasNextPage"], page["hasPreviousPage"]) == (["m1", "m2", "m3", "m4", "m5"], True, False)
    assert await ward.deployment.code(READ, ward.ada.token, i=ward.conversation, first=1, last=1) == "INVALID_INPUT"


@pytest.mark.rule("G2")
async def test_the_list_is_by_last_activity_and_pages_hold_while_it_moves(ward: Ward) -> None:
    others = [await ward.deployment.person(ward.practice, name=name) for name in ("Carl", "Dora", "Emil")]
    started = [ward.conversation]
    for person in others:
        data = await ward.deployment.data(START, ward.ada.token, m=person.id, c=f"with-{person.id}")
        started.append(data["startConversation"]["id"])
    page = """query($f: Int!, $a: String) { conversations(first: $f, after: $a) {
        nodes { id lastMessage { body } } pageInfo { endCursor } } }"""
    first = (await ward.deployment.data(page, ward.ada.token, f=2))["conversations"]
    assert [node["id"] for node in first["nodes"]] == [started[3], started[2]]
    await ward.send("to the top", "m-1")
    rest = (await ward.deployment.data(page, ward.ada.token, f=9, a=first["pageInfo"]["endCursor"]))["conversations"]
    assert [node["id"] for node in rest["nodes"]] == [started[1]]
    top = (await ward.deployment.data(page, ward.ada.token, f=1))["conversations"]["nodes"]
    assert top == [{"id": ward.conversation, "lastMessage": {"body": "to the top"}}]


@pytest.mark.parametrize("body", ["", "  \n", "x" * 10_001])
async def test_a_message_that_is_none_is_refused_and_nothing_is_written(ward: Ward, body: str) -> None:
    refused = await ward.deployment.ask(SEND, ward.ada.token, i=ward.conversation, b=body, c="m-1")
    [error] = refused["errors"]
    assert (error["extensions"]["code"], error["extensions"]["field"]) == ("INVALID_INPUT", ["body"])
    assert await ward.messages() == []


async def test_a_practice_may_allow_shorter_messages_only(ward: Ward) -> None:
    owner = await ward.deployment.person(ward.practice, Role.OWNER)
    change = "mutation { updateChatSettings(patch: { longestMessage: 5 }) { longestMessage } }"
    assert await ward.deployment.code(change, ward.ada.token) == "FORBIDDEN"
    assert await ward.deployment.data(change, owner.token) == {"updateChatSettings": {"longestMessage": 5}}
    assert await ward.deployment.code(SEND, ward.ada.token, i=ward.conversation, b="123456", c="m") == "INVALID_INPUT"
    assert (await ward.send("12345", "m"))["body"] == "12345"


@pytest.mark.rule("A12")
async def test_who_is_not_in_a_conversation_is_told_that_there_is_none(ward: Ward) -> None:
    await ward.send("between us", "m-1")
    owner = await ward.deployment.person(ward.practice, Role.OWNER, "Olga")
    elsewhere = await ward.deployment.person(await ward.deployment.practice("Hill"), Role.OWNER, "Eve")
    missing = "0199aaaa-0000-7000-8000-000000000000"
    for person in (owner, elsewhere):
        answers = []
        for target in (ward.conversation, missing, "nonsense"):
            for query, values in ((READ, {}), (SEND, {"b": "let me in", "c": "m-9"})):
                body = await ward.deployment.ask(query, person.token, i=target, **values)
                [error] = body["errors"]
                answers.append((error["message"], error["extensions"]["code"], list(body["data"].values())))
        assert {code for _, code, _ in answers} == {"NOT_FOUND"}
        assert answers[0:2] == answers[2:4]
        assert await ward.deployment.code(START, elsewhere.token, m=ward.ada.id, c="s") == "NOT_FOUND"
    assert await ward.messages() == ["between us"]


async def test_a_list_of_conversations_costs_a_constant_number_of_statements(ward: Ward) -> None:
    query = "{ conversations { nodes { id participants { nodes { name } } lastMessage { body sender { name } } } } }"
    costs = []
    for round_ in range(2):
        for number in range(3):
            person = await ward.deployment.person(ward.practice, name=f"P{number}")
            data = await ward.deployment.data(START, ward.ada.token, m=person.id, c=f"{round_}-{number}")
            conversation = data["startConversation"]["id"]
            await ward.deployment.data(SEND, person.token, i=conversation, b="hello", c="1")
        with statements() as ran:
            listed = await ward.deployment.data(query, ward.ada.token)
        costs.append((len(listed["conversations"]["nodes"]), len(ran)))
    # who asks, the list, the participants, how people are shown and their names: those of senders, then of participants
    assert costs == [(4, 7), (7, 7)]


async def test_a_message_costs_a_known_number_of_statements(ward: Ward) -> None:
    with statements() as ran:
        await ward.send("hello", "m-1")
    # who asks, where they stand, the plan, the settings, the message, who is told of it, their notifications in one
    # statement however many they are (N3); how its sender is shown, and the name; in its transaction webhooks are asked
    # about, and the inboxes of all who take part are told in one statement (C16)
    assert len(ran) == 12, ran


@pytest.mark.rule("A11")
async def test_one_sign_in_serves_what_every_plugin_adds(ward: Ward) -> None:
    """One password and one token: the schema has no other way in, and plugins' fields, files and sockets take it."""
    deployment, ada = ward.deployment, ward.ada
    token = await deployment.sign_in(ada.email)
    everything = """{ viewer { member { id } } conversations { nodes { id } } patients { nodes { id } }
        sessions { id } notifications { nodes { id } } }"""
    seen = await deployment.data(everything, token)
    assert (seen["viewer"]["member"]["id"], seen["conversations"]["nodes"]) == (ada.id, [{"id": ward.conversation}])
    before = len(seen["sessions"])
    await deployment.data(SEND, token, i=ward.conversation, b="The same sign-in", c="a11")
    async with deployment.socket(token) as socket:
        key = await socket.subscribe("{ conversation(id: %r) { kind } }".replace("%r", f'"{ward.conversation}"'))
        assert (await socket.next(key))["conversation"] == {"kind": "DIRECT"}
    assert len((await deployment.data("{ sessions { id } }", token))["sessions"]) == before
    # Whoever has signed out is out of all of it.
    await deployment.data("mutation { signOut }", token)
    for asked in ("{ conversations { nodes { id } } }", "{ patients { nodes { id } } }", "{ sessions { id } }"):
        assert await deployment.code(asked, token) == "UNAUTHENTICATED"
    mutations = (await deployment.data("{ __schema { mutationType { fields { name } } } }"))["__schema"]
    ways_in = {each["name"] for each in mutations["mutationType"]["fields"] if each["name"].startswith("signIn")}
    assert ways_in == {"signIn", "signInWithPasskey"}
