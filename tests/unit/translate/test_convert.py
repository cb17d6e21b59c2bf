"""Buttons and switches as messages."""

from typing import Any

import pytest

from onebridge.keys import Scene
from onebridge.qq.events import Event, Interaction, ManagementEvent, MessageEvent, UnknownEvent
from onebridge.translate.convert import SWITCHES, Conversions, as_message
from tests.unit.translate.inbound import ACCOUNT, ALICE, CONVERSATIONS, GUILD, message, segments_of

ALL = Conversions(buttons=True, switches=True)


def pressed(kind: int = 11, scene: Scene = Scene.GROUP, **resolved: Any) -> ManagementEvent:
    return ManagementEvent(
        ACCOUNT,
        "INTERACTION_CREATE",
        "INTERACTION_CREATE:1",
        1787192130.0,
        {},
        conversation=CONVERSATIONS[scene],
        guild_id=GUILD if scene is Scene.CHANNEL else "",
        person=ALICE,
        detail=Interaction("1", kind, resolved),
    )


def switched(event_type: str) -> ManagementEvent:
    return ManagementEvent(
        ACCOUNT,
        event_type,
        f"{event_type}:1",
        1787192130.0,
        {},
        conversation=CONVERSATIONS[Scene.GROUP],
        operator=ALICE,
    )


def shown(event: Event, conversions: Conversions = ALL) -> MessageEvent:
    found = as_message(event, conversions)
    assert isinstance(found, MessageEvent)
    return found


def test_a_button_says_its_data() -> None:
    said = shown(pressed(button_data="/vote 42", button_id="yes"))
    assert (said.content, said.author.openid, said.addressed) == ("/vote 42", ALICE, True)
    assert (said.msg_id, said.event_id) == ("", "INTERACTION_CREATE:1")


def test_a_menu_entry_says_its_feature() -> None:
    assert shown(pressed(12, Scene.C2C, feature_id="menu_help")).content == "menu_help"


def test_what_is_typed_in_a_guild_comes_out_as_it_was() -> None:
    data = "<@1> & &lt;"
    assert segments_of(shown(pressed(scene=Scene.CHANNEL, button_data=data)))[-1].data == {
        "text": data
    }


@pytest.mark.parametrize(("event_type", "words"), SWITCHES.items())
def test_a_switch_says_what_was_switched(event_type: str, words: str) -> None:
    assert shown(switched(event_type)).content == words


@pytest.mark.parametrize(
    "event",
    [
        pressed(),
        pressed(button_data=" "),
        pressed(button_data=7),
        pressed(13, feedback_opt="LIKE", button_data="x"),
        switched("GROUP_ADD_ROBOT"),
        UnknownEvent(ACCOUNT, "X", "", {}, 0.0),
        message("x"),
    ],
)
def test_anything_else_stays_as_it_is(event: Event) -> None:
    assert as_message(event, ALL) is event


def test_nothing_is_converted_unless_wanted() -> None:
    button, switch = pressed(button_data="x"), switched("GROUP_MSG_REJECT")
    for one in (button, switch):
        assert as_message(one, Conversions()) is one
    assert as_message(button, Conversions(switches=True)) is button
    assert as_message(switch, Conversions(buttons=True)) is switch
