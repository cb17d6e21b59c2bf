"""What a bot does for people, whatever framework it is written with: a sentence is one test each.

Every application of these tests knows the same commands: ``/echo``, ``/at``, ``/call``, ``/pic``,
``/recall``, ``/who``, ``/forward`` and ``/long``; what quotes something is answered by quoting it.
"""

from collections.abc import Callable

from tests.e2e.stack import PICTURE, Platform, Shown

Ability = Callable[[Platform], None]


def members(platform: Platform, said: Shown) -> dict[str, str]:
    """The people of a message's group, and the role of each."""
    (found,) = (
        group["members"]
        for group in platform.ask("/control/state")["groups"]
        if group["openid"] == said.conversation
    )
    return dict(found)


def it_answers_a_text(platform: Platform) -> None:
    answer = platform.answer_to(platform.say("/echo 你好，world & <friends> [CQ:at,qq=all]"))
    assert answer.text == "你好，world & <friends> [CQ:at,qq=all]"


def it_answers_in_private(platform: Platform) -> None:
    answer = platform.answer_to(platform.say("/echo only you", scene="c2c"))
    assert answer.text == "only you"


def it_answers_in_a_channel(platform: Platform) -> None:
    answer = platform.answer_to(platform.say("/echo all of you", scene="channel"))
    assert answer.text == "all of you"


def it_mentions_who_asks(platform: Platform) -> None:
    said = platform.say("/at")
    answer = platform.answer_to(said)
    assert said.fields["author"] in (answer.fields["auto_at"], *answer.fields["mentions"])
    assert answer.text.endswith("hello")


def it_mentions_somebody_else(platform: Platform) -> None:
    said = platform.say("/echo who is here?")
    platform.answer_to(said)
    other = next(openid for openid in members(platform, said) if openid != said.fields["author"])
    answer = platform.answer_to(platform.say(f"/call <@{other}>"))
    assert answer.text == f"<@{other}> you are called"


def it_sends_an_image(platform: Platform) -> None:
    answer = platform.answer_to(platform.say("/pic"))
    assert answer.text == "here"
    assert answer.pictures == [PICTURE]


def it_answers_a_quote_by_quoting(platform: Platform) -> None:
    first = platform.answer_to(platform.say("/echo what I said before"))
    said = platform.say("do you remember?", quoting=first)
    answer = platform.answer_to(said)
    assert answer.text == "you quoted: what I said before"
    assert answer.quotes == said.id


def it_takes_a_message_back(platform: Platform) -> None:
    said = platform.say("/recall")
    platform.answer_to(said, "recalled")
    shown = platform.messages(said.conversation, said.number)
    assert {message.text: message.fields["recalled"] for message in shown} == {
        "gone soon": True,
        "recalled": False,
    }


def it_knows_a_member(platform: Platform) -> None:
    said = platform.say("/who")
    answer = platform.answer_to(said)
    role = members(platform, said)[said.fields["author"]]
    assert answer.text == f"{said.fields['author_name']} is {role}"


def it_sends_a_forward(platform: Platform) -> None:
    for scene in ("group", "c2c"):
        answer = platform.answer_to(platform.say("/forward", scene=scene))
        assert answer.text == "甲:\nfirst\n乙:\nsecond"


def it_sends_a_long_message(platform: Platform) -> None:
    said = platform.say("/long")
    whole = "很长的消息" * 1000
    parts: list[Shown] = []
    while sum(len(part.text) for part in parts) < len(whole):
        after = parts[-1] if parts else said
        parts.append(platform.answer_to(after))
    assert len(parts) > 1
    assert "".join(part.text for part in parts) == whole


def no_event_disturbs_it(platform: Platform) -> None:
    platform.announce_everything()
    answer = platform.answer_to(platform.say("/echo still here"))
    assert answer.text == "still here"


ABILITIES: tuple[Ability, ...] = (
    it_answers_a_text,
    it_answers_in_private,
    it_answers_in_a_channel,
    it_mentions_who_asks,
    it_mentions_somebody_else,
    it_sends_an_image,
    it_answers_a_quote_by_quoting,
    it_takes_a_message_back,
    it_knows_a_member,
    it_sends_a_forward,
    it_sends_a_long_message,
    no_event_disturbs_it,
)
