import pytest

from onebridge.keys import AppId, Conversation, Scene
from onebridge.qq.codes import Act
from onebridge.store.records import Credit, ReplyBy
from onebridge.translate.facts import FILE_TYPES, MANNERS, WAYS, Facts, Way, way_of

GROUP = Conversation(AppId("1"), Scene.GROUP, "G")

# onebot11.md section 4.4: everything with an S in its second column, and what is only received but
# may be sent back.
# fmt: off
KNOWN = {
    "text", "face", "image", "record", "video", "at", "rps", "dice", "shake", "poke", "anonymous",
    "share", "contact", "location", "music", "reply", "forward", "xml", "json", "gift", "tts",
    "cardimage", "mface", "file", "markdown", "keyboard", "button", "longmsg", "ark", "embed",
}
# fmt: on


def credit(reply_id: str, author: str, left: int, by: ReplyBy = ReplyBy.MSG_ID) -> Credit:
    return Credit(GROUP, reply_id, by, author, 0, 300, 5, 5 - left)


def test_every_table_covers_every_scene() -> None:
    assert set(MANNERS) == set(Scene)
    for kind, row in WAYS.items():
        assert set(row) == set(Scene), kind


def test_every_known_segment_has_a_row() -> None:
    assert set(WAYS) == KNOWN


def test_every_file_has_a_type_and_every_type_a_row() -> None:
    files = {kind for kind, row in WAYS.items() if Way.MEDIA in row.values()}
    assert files == set(FILE_TYPES)


@pytest.mark.parametrize("scene", Scene)
def test_an_unknown_segment_is_unsupported(scene: Scene) -> None:
    assert way_of("onlinefile", scene) is Way.UNSUPPORTED


def test_who_is_answered_by_which_call() -> None:
    credits = (
        credit("a", "ALICE", 2),
        credit("b", "BOB", 1),
        credit("e", "CAROL", 3, ReplyBy.EVENT_ID),
    )
    facts = Facts(conversation=GROUP, self_id=1, credits=credits)
    assert [facts.asker(call) for call in range(7)] == ["ALICE", "ALICE", "BOB", "", "", "", ""]
    assert Facts(conversation=GROUP, self_id=1).asker(0) == ""


def test_refusals_are_learned_from() -> None:
    def facts(*acts: Act, markdown: bool = True, keyboard: bool = True) -> Facts:
        return Facts(
            conversation=GROUP,
            self_id=1,
            markdown=markdown,
            keyboard=keyboard,
            refusals=frozenset(acts),
        )

    def may(given: Facts) -> tuple[bool, bool]:
        return given.may_use_markdown, given.may_use_keyboard

    assert may(facts()) == (True, True)
    assert may(facts(Act.KEYBOARD_REFUSED)) == (True, False)
    assert may(facts(Act.MARKDOWN_REFUSED)) == (False, False)
    assert may(facts(keyboard=False)) == (True, False)
    assert may(facts(markdown=False)) == (False, False)
