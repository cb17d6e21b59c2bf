"""8.12 message input and CQ, 8.13 quick operations."""

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import pytest

from onebridge.observability import counters
from onebridge.onebot.cqcode import from_cq, to_cq
from onebridge.onebot.params import BOOL, Param, coerce
from onebridge.onebot.segments import Segment
from onebridge.sandbox.faults import Fault
from onebridge.sandbox.ledger import Limits
from onebridge.sandbox.server import Sandbox, SandboxSettings
from tests.conformance.onebot.rig import PICTURE, PNG, TOKEN, Chat, Frame, Rig, checklist, text_of
from tests.contract.bridge.harness import running_bridge

pytestmark = pytest.mark.asyncio(loop_scope="session")


def text(value: Any) -> dict[str, Any]:
    return {"type": "text", "data": {"text": value}}


async def shown(rig: Rig, message: Any, **more: Any) -> str:
    """What people read of a message in a chat of its own."""
    chat = rig.c2c()
    event = await rig.hear(chat)
    await rig.ok("send_private_msg", user_id=event["user_id"], message=message, **more)
    return "".join(text_of(post) for post in rig.posts(chat))


async def refused(rig: Rig, message: Any) -> None:
    chat = rig.c2c()
    event = await rig.hear(chat)
    await rig.fails("send_private_msg", user_id=event["user_id"], message=message)
    assert rig.posts(chat) == []


@checklist(211)
async def test_three_shapes(rig: Rig) -> None:
    for message in ("一", [text("一")], text("一")):
        assert await shown(rig, message) == "一"


@checklist(212)
async def test_auto_escape(rig: Rig) -> None:
    code = "[CQ:face,id=14]&amp;"
    assert await shown(rig, code, auto_escape=True) == code


VECTORS: list[tuple[str, list[Segment]]] = [
    ("a&#91;b&#93;&amp;c,d", [Segment("text", {"text": "a[b]&c,d"})]),
    ("&amp;#91;", [Segment("text", {"text": "&#91;"})]),
    ("[CQ:at,qq=1] hi", [Segment("at", {"qq": "1"}), Segment("text", {"text": " hi"})]),
    (
        "[CQ:share,title=a=b&#44;c,url=http://x/?a=1&amp;b=2]",
        [Segment("share", {"title": "a=b,c", "url": "http://x/?a=1&b=2"})],
    ),
    ("[CQ:image,file=base64://AA==]", [Segment("image", {"file": "base64://AA=="})]),
    ("[CQ:a][CQ:b]", [Segment("a", {}), Segment("b", {})]),
    ("[CQ:a,k=]", [Segment("a", {"k": ""})]),
    ("[CQ:a,k=x&#93;y]", [Segment("a", {"k": "x]y"})]),
    ("[CQ:a,k=x=y]", [Segment("a", {"k": "x=y"})]),
]
LOOSE: list[tuple[str, list[Segment]]] = [
    ("x[CQ:unclosed", [Segment("text", {"text": "x[CQ:unclosed"})]),
    ("[CQ:x,]", [Segment("x", {})]),
    ("[CQ:a,b=1,b=2]", [Segment("a", {"b": "2"})]),
    *(
        (one, [Segment("text", {"text": one})])
        for one in ("[CQ:a,b]", "[CQ:a,=v]", "[cq:a]", "[CQ:]", "[CQ: a]")
    ),
    (
        "[[CQ:a]]",
        [Segment("text", {"text": "["}), Segment("a", {}), Segment("text", {"text": "]"})],
    ),
    ("a&#44;b", [Segment("text", {"text": "a,b"})]),
    ("&lt;&#34;", [Segment("text", {"text": "&lt;&#34;"})]),
]


@checklist(213)
@pytest.mark.parametrize(("code", "segments"), [*VECTORS, *LOOSE])
async def test_cq_vectors(code: str, segments: list[Segment]) -> None:
    assert list(from_cq(code)) == segments
    if (code, segments) in VECTORS:
        assert to_cq(segments) == code


@checklist(214)
async def test_an_escaped_escape(rig: Rig) -> None:
    assert await shown(rig, "&amp;#91;") == "&#91;"


@checklist(215)
async def test_blanks_in_a_code(rig: Rig) -> None:
    assert "CQ" not in await shown(rig, "看[CQ:face, id=1]")


@checklist(216)
async def test_booleans_in_segments(rig: Rig) -> None:
    for word in ("0", "1", "yes", "no", "true", "false"):
        assert coerce({"a": word}, (Param("a", BOOL),))["a"] in (True, False)
        code = f"[CQ:image,file={PICTURE},cache={word},proxy={word}]"
        assert await shown(rig, f"图{code}") == "图"


@checklist(217)
async def test_no_data(rig: Rig) -> None:
    for face in ({"type": "shake"}, {"type": "shake", "data": None}):
        assert "之后" in await shown(rig, [face, text("之后")])


@checklist(218)
@checklist(219)
async def test_odd_values(rig: Rig) -> None:
    data = {"file": PICTURE, "type": None, "timeout": None, "cache": 1, "unknown": [1]}
    assert await shown(rig, [text("图"), {"type": "image", "data": data}]) == "图"


@checklist(220)
async def test_a_number_for_text(rig: Rig) -> None:
    assert await shown(rig, [text(5)]) == "5"


@checklist(221)
async def test_where_pictures_come_from(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    await asyncio.to_thread(folder.mkdir)
    file = folder / "a.png"
    await asyncio.to_thread(file.write_bytes, PNG)
    media = {"allow_private_addresses": True, "allow_files": [str(folder)]}
    limits = Limits(enforce_rates=False)
    async with (
        Sandbox(SandboxSettings(port=0, limits=limits)) as sandbox,
        running_bridge(sandbox, tmp_path, media=media) as bridge,
    ):
        rig = Rig(sandbox, bridge, strict=False)
        event = await rig.hear(rig.c2c(), "图", image=PNG)
        (url,) = [part["data"]["url"] for part in event["message"] if part["type"] == "image"]
        data_uri = "data:image/png;base64," + base64.b64encode(PNG).decode()
        for source in (url, PICTURE, file.as_uri(), str(file), data_uri):
            chat = rig.c2c()
            to = await rig.hear(chat)
            image = {"type": "image", "data": {"file": source}}
            await rig.ok("send_private_msg", user_id=to["user_id"], message=[image])
            assert len(rig.posts(chat)) == 1


@checklist(222)
async def test_a_missing_file(rig: Rig) -> None:
    await refused(rig, [text("图"), {"type": "image", "data": {"file": "file:///nowhere/a.png"}}])


@checklist(223)
async def test_mentions(rig: Rig) -> None:
    chat = rig.group()
    event = await rig.hear(chat)
    for qq in (event["user_id"], str(event["user_id"]), "all"):
        message = [{"type": "at", "data": {"qq": qq}}, text(" 好")]
        await rig.ok("send_group_msg", group_id=event["group_id"], message=message)
    assert all("好" in text_of(post) for post in rig.posts(chat))
    assert len(rig.posts(chat)) == 3


@checklist(224)
async def test_a_mention_of_nobody(rig: Rig) -> None:
    chat = rig.group()
    event = await rig.hear(chat)
    message = [{"type": "at", "data": {"qq": "12345"}}, text(" 好")]
    await rig.ok("send_group_msg", group_id=event["group_id"], message=message)
    assert "12345" in text_of(rig.posts(chat)[0])


@checklist(225)
async def test_nothing_to_send(rig: Rig) -> None:
    for message in ("", [], [text("")]):
        await refused(rig, message)


@checklist(226)
async def test_unknown_segments(rig: Rig) -> None:
    unknown = {"type": "never_heard_of", "data": {"a": 1}}
    assert "看" in await shown(rig, [text("看"), unknown])
    await refused(rig, [unknown])


@checklist(227)
async def test_text_around_a_picture(rig: Rig) -> None:
    chat = rig.c2c()
    event = await rig.hear(chat)
    message = [text("之前"), {"type": "image", "data": {"file": PICTURE}}, text("之后")]
    await rig.ok("send_private_msg", user_id=event["user_id"], message=message)
    posts = rig.posts(chat)
    words = "".join(text_of(post) for post in posts)
    assert "之前" in words
    assert "之后" in words
    assert any("media" in post.body for post in posts) or "![" in words


@checklist(228)
async def test_nodes_beside_text(rig: Rig) -> None:
    node = {"type": "node", "data": {"user_id": 1, "nickname": "甲", "content": "节点"}}
    words = await shown(rig, [text("旁边"), node])
    assert "旁边" in words
    assert "节点" in words
    event = await rig.hear(rig.group())
    answer = await rig.fails(
        "send_group_forward_msg", group_id=event["group_id"], messages=[node, text("旁边")]
    )
    assert "messages[1]" in answer["wording"]


KEYBOARD = {
    "content": {
        "rows": [
            {
                "buttons": [
                    {
                        "id": "1",
                        "render_data": {"label": "好", "visited_label": "好", "style": 1},
                        "action": {"type": 2, "permission": {"type": 2}, "data": "/好"},
                    }
                ]
            }
        ]
    }
}


@checklist(229)
async def test_markdown_and_keyboard(rig: Rig) -> None:
    chat = rig.group()
    event = await rig.hear(chat)
    message = [
        {"type": "markdown", "data": {"content": "# 标题"}},
        {"type": "keyboard", "data": KEYBOARD},
    ]
    await rig.ok("send_group_msg", group_id=event["group_id"], message=message)
    (post,) = rig.posts(chat)
    assert post.body["markdown"]["content"] == "# 标题"
    assert post.body["keyboard"]


@checklist(230)
async def test_text_is_text(rig: Rig) -> None:
    chat = rig.group()
    event = await rig.hear(chat)
    for literal in (
        "*a* _b_ `c` # d > e",
        f"1 < 2 & 3 > 2 <@{chat.user}>",
        f'<qqbot-at-user id="{chat.user}" />',
        "<@everyone> @everyone",
    ):
        await rig.ok("send_group_msg", group_id=event["group_id"], message=[text(literal)])
    for post in rig.posts(chat):
        message = rig.sandbox.world.message(post.message_id)
        assert message.mentions == ()
        assert message.markdown is None
    assert text_of(rig.posts(chat)[0]) == "*a* _b_ `c` # d > e"


# 8.13


def context_of(event: Frame) -> dict[str, Any]:
    """What aiocqhttp leaves of an event."""
    left_out = {"sender", "message", "raw_message", "comment"}
    return {key: value for key, value in event.items() if key not in left_out}


async def operate(rig: Rig, chat: Chat, **operation: Any) -> Frame:
    event = await rig.hear(chat)
    await rig.ok(".handle_quick_operation", context=context_of(event), operation=operation)
    return event


@checklist(231)
@checklist(238)
async def test_a_private_reply(rig: Rig) -> None:
    chat = rig.c2c()
    await operate(rig, chat, reply="好")
    assert [text_of(post) for post in rig.posts(chat)] == ["好"]


@checklist(232)
@checklist(240)
async def test_a_group_reply(rig: Rig) -> None:
    chat = rig.group()
    first = await rig.hear(chat)
    await rig.hear(chat)
    operation = {"reply": "好", "at_sender": False}
    context = context_of(first)
    await rig.ok(".handle_quick_operation", context=context, operation=operation)
    await over_socket(rig, context, operation)
    posts = rig.posts(chat)
    assert [text_of(post) for post in posts] == ["好", "好"]
    assert {post.body["msg_id"] for post in posts} == {first["qq"]["msg_id"]}


async def over_socket(rig: Rig, context: dict[str, Any], operation: dict[str, Any]) -> None:
    async with rig.socket() as client:
        answer = await client.ask(".handle_quick_operation", context=context, operation=operation)
    assert (answer["status"], answer["data"]) == ("ok", None)


@checklist(233)
async def test_at_sender(rig: Rig) -> None:
    # QQ shows who is replied to by itself, so the mention is seen where it names somebody else.
    chat = rig.group()
    other = rig.sandbox.world.add_user("别人", "102000001").openid
    rig.sandbox.world.group(chat.openid).members[other] = "member"
    seen = await rig.hear(chat, "我在", user=other)
    event = await rig.hear(chat)
    context = {**context_of(event), "user_id": seen["user_id"]}
    for operation in ({"reply": "默认"}, {"reply": "要", "at_sender": True}):
        await rig.ok(".handle_quick_operation", context=context, operation=operation)
    default, wanted = rig.posts(chat)
    assert text_of(wanted).endswith("要")
    assert other in text_of(wanted)
    assert (other in text_of(default)) == rig.strict


@checklist(233)
async def test_a_reply_in_a_channel(guarded: Rig) -> None:
    chat = guarded.channel()
    async with guarded.socket(f"/?access_token={TOKEN}") as client:
        said = guarded.say(chat, "频道里")
        event = await client.frame(lambda frame: frame.get("qq", {}).get("msg_id") == said.id)
        assert event["message_type"] == "guild"
        for operation in ({"reply": "好"}, {"reply": "好", "at_sender": True}):
            answer = await client.ask(
                ".handle_quick_operation", context=context_of(event), operation=operation
            )
            assert answer["status"] == "ok"
    plain, mentioning = await guarded.posted(chat, 2)
    assert text_of(plain) == "好"
    assert event["user_id"] in text_of(mentioning)
    assert {post.body["msg_id"] for post in (plain, mentioning)} == {said.id}


@checklist(234)
async def test_a_plain_reply(rig: Rig) -> None:
    chat = rig.c2c()
    await operate(rig, chat, reply="[CQ:face,id=14]", auto_escape=True)
    assert text_of(rig.posts(chat)[0]) == "[CQ:face,id=14]"


@checklist(235)
async def test_a_ban(rig: Rig) -> None:
    chat = rig.group(bot_role="admin")
    await operate(rig, chat, ban=True)
    world = rig.sandbox.world
    end = world.group(chat.openid).muted[chat.user]
    assert 1795 <= end - world.now <= 1805


@checklist(236)
async def test_a_recall_that_is_refused(rig: Rig) -> None:
    chat = rig.group()
    match = f"DELETE /v2/groups/{chat.openid}/messages/*"
    tried = rig.sandbox.faults.add(
        Fault(on="rest", do="error", match=match, status=400, code=40062003)
    )
    before = counters["quick_operation.failed"]
    await operate(rig, chat, delete=True)
    assert tried.done == 1
    assert counters["quick_operation.failed"] == before + 1


@checklist(237)
async def test_deciding_a_request(rig: Rig) -> None:
    chat = rig.group(bot_role="admin")
    event = await rig.announce("GROUP_JOIN_REQUEST", group_openid=chat.openid)
    group = rig.sandbox.world.group(chat.openid)
    for operation, left in (({"reason": "不说"}, 1), ({"approve": False, "reason": "不"}, 0)):
        await rig.ok(".handle_quick_operation", context=context_of(event), operation=operation)
        assert len(group.requests) == left


@checklist(239)
async def test_nothing_to_do(rig: Rig) -> None:
    for context in (
        {"post_type": "notice", "notice_type": "group_increase", "group_id": 1, "user_id": 1},
        {"post_type": "meta_event", "meta_event_type": "heartbeat"},
    ):
        await rig.ok(".handle_quick_operation", context=context, operation={"reply": "x"})
    chat = rig.group()
    await operate(rig, chat, unknown=json.dumps({"a": 1}), approve=True, reply="")
    assert rig.posts(chat) == []
