from typing import Any

import pytest

from onebridge.sandbox.model import Bot, Scene
from onebridge.sandbox.rules import (
    CODES,
    Picture,
    RefusalError,
    check_content,
    has_foreign_url,
    read_send,
)

G, C, CH, D = Scene.GROUP, Scene.C2C, Scene.CHANNEL, Scene.DM
MD = {"content": "# 你好"}


def keyboard(rows: int, columns: int) -> dict[str, Any]:
    return {"content": {"rows": [{"buttons": [{"id": "1"}] * columns}] * rows}}


def code_of(scene: Scene, body: dict[str, Any], **rights: Any) -> int | None:
    bot = Bot("1", "s", "机器人", "1", "B" * 32, **rights)
    try:
        check_content(read_send(scene, "x", body), bot)
    except RefusalError as error:
        return error.code
    return None


ACCEPTED = [
    (G, {"content": "你好"}),
    (G, {"msg_type": 0, "content": "1.5 版本 a.md 3.14"}),
    (G, {"msg_type": 2, "markdown": MD}),
    (G, {"msg_type": 2, "markdown": MD, "keyboard": keyboard(5, 5)}),
    (G, {"msg_type": 2, "markdown": MD, "keyboard": {"id": "template"}}),
    (G, {"msg_type": 2, "markdown": {"content": "[看](https://example.com/a) <https://b.cn>"}}),
    (G, {"msg_type": 2, "markdown": {"content": "![图 #1px #2px](https://example.com/a.png)"}}),
    (G, {"msg_type": 2, "markdown": {"content": '<qqbot-cmd-input text="%2Fa" show="b" />'}}),
    (C, {"msg_type": 2, "markdown": {"content": '<qqbot-cmd-enter text="a" />'}}),
    (G, {"msg_type": 7, "media": {"file_info": "x"}}),
    (G, {"msg_type": 7, "content": "说明", "media": {"file_info": "x"}}),
    (G, {"content": "你好", "markdown": None, "keyboard": None, "ark": None, "event_id": None}),
    (C, {"msg_type": 6, "msg_id": "m", "input_notify": {"input_type": 1, "input_second": 60}}),
    (CH, {"content": "<@!1> 你好"}),
    (CH, {"image": "https://example.com/a.png"}),
    (D, {"embed": {"title": "t"}}),
]


@pytest.mark.parametrize(("scene", "body"), ACCEPTED)
def test_it_accepts(scene: Scene, body: dict[str, Any]) -> None:
    assert code_of(scene, body) is None


REFUSED = [
    (G, {}, 304061),
    (G, {"content": "  \n"}, 304061),
    (CH, {}, 50006),
    (CH, {"content": " "}, 50006),
    (G, {"content": 5}, 12002),
    (G, {"msg_type": "0", "content": "x"}, 12002),
    (G, {"msg_type": True, "content": "x"}, 12002),
    (G, {"content": "x", "markdown": MD}, 22006),
    (G, {"content": "x", "media": {"file_info": "x"}}, 22006),
    (G, {"msg_type": 2}, 22006),
    (G, {"msg_type": 2, "content": "x", "markdown": MD}, 22006),
    (G, {"msg_type": 7}, 22006),
    (G, {"msg_type": 3, "ark": {}}, 304004),
    (G, {"msg_type": 4, "embed": {}}, 304004),
    (G, {"msg_type": 6, "input_notify": {}}, 340069),
    (G, {"msg_type": 5, "content": "x"}, 340069),
    (C, {"msg_type": 5, "content": "x"}, 22006),
    (C, {"msg_type": 6, "msg_id": "m", "input_notify": {"input_type": 9}}, 50059),
    (
        C,
        {"msg_type": 6, "msg_id": "m", "input_notify": {"input_type": 1, "input_second": 61}},
        50059,
    ),
    (C, {"msg_type": 6, "input_notify": {"input_type": 1, "input_second": 5}}, 50059),
    (G, {"msg_type": 2, "markdown": {"content": ""}}, 40034011),
    (G, {"msg_type": 2, "markdown": {"params": []}}, 40034011),
    (G, {"msg_type": 2, "markdown": {"content": "a", "custom_template_id": "b"}}, 50057),
    (G, {"msg_type": 2, "markdown": {"custom_template_id": "b"}}, 40034127),
    (
        G,
        {
            "msg_type": 2,
            "markdown": {"custom_template_id": "b", "params": [{"key": "k", "values": [""]}]},
        },
        40034008,
    ),
    (
        G,
        {
            "msg_type": 2,
            "markdown": {"custom_template_id": "b", "params": [{"key": "k", "values": ["a\nb"]}]},
        },
        40034009,
    ),
    (
        G,
        {
            "msg_type": 2,
            "markdown": {"custom_template_id": "b", "params": [{"key": "k", "values": ["**a**"]}]},
        },
        40034010,
    ),
    (G, {"msg_type": 2, "markdown": {"content": '<qqbot-cmd-enter text="a" />'}}, 40034106),
    (CH, {"markdown": {"content": "x"}}, 304036),
    (CH, {"markdown": {"content": "x"}, "msg_id": "m"}, 304041),
    (CH, {"markdown": {"content": "x"}, "content": "y"}, 50037),
    (CH, {"ark": {"template_id": 23}}, 304004),
    (
        C,
        {"msg_type": 2, "markdown": {"content": f'<qqbot-cmd-input text="{"a" * 101}" />'}},
        40034108,
    ),
    (C, {"msg_type": 2, "markdown": {"content": "<qqbot-cmd-input text=a />"}}, 40034109),
    (G, {"content": "字" * 5001}, 40054007),
    (G, {"msg_type": 2, "markdown": {"content": "字" * 5001}}, 40054007),
    (G, {"content": "看 https://example.com"}, 40054010),
    (C, {"content": "看www.example.com吧"}, 40054010),
    (G, {"content": "看github.com/user/repo"}, 40054010),
    (G, {"content": "[看](https://example.com)"}, 40054010),
    (G, {"msg_type": 7, "content": "https://a.cn", "media": {"file_info": "x"}}, 40054010),
    (G, {"msg_type": 2, "markdown": {"content": "直接 https://example.com"}}, 40054010),
    (CH, {"content": "https://example.com"}, 304003),
    (D, {"content": "example.com"}, 304003),
    (G, {"msg_type": 2, "markdown": MD, "keyboard": keyboard(6, 1)}, 40034029),
    (G, {"msg_type": 2, "markdown": MD, "keyboard": keyboard(1, 6)}, 40034029),
    (G, {"msg_type": 2, "markdown": MD, "keyboard": keyboard(0, 1)}, 40034029),
    (CH, {"content": "x", "keyboard": keyboard(6, 1)}, 304040),
]


@pytest.mark.parametrize(("scene", "body", "code"), REFUSED)
def test_it_refuses(scene: Scene, body: dict[str, Any], code: int) -> None:
    assert code_of(scene, body) == code
    assert code in CODES


def test_rights_change_the_answer() -> None:
    assert code_of(CH, {"markdown": MD}, guild_markdown=True) is None
    board = {"msg_type": 2, "markdown": MD, "keyboard": keyboard(1, 1)}
    assert code_of(G, board, keyboard=False) == 304057
    assert code_of(G, {"content": "https://a.cn/x"}, url_allow=("a.cn",)) is None
    assert code_of(G, {"content": "https://b.cn/x"}, url_allow=("a.cn",)) == 40054010


@pytest.mark.parametrize(
    "text", ["a@example", "版本1.2.3", "文件.txt", "x.y", "3.com5", "e.g. this"]
)
def test_dots_alone_are_no_url(text: str) -> None:
    assert not has_foreign_url(text, ())


def test_an_old_and_a_new_code_may_differ() -> None:
    body = RefusalError(11298).body("t")
    assert (body["code"], body["err_code"]) == (11298, 40023002)
    assert RefusalError(11298).status == 401


def test_an_observed_refusal_has_no_code() -> None:
    body = RefusalError(None, "invalid request", 500).body("t")
    assert body == {"message": "invalid request", "trace_id": "t"}


def test_a_picture_is_content() -> None:
    bot = Bot("1", "s", "机器人", "1", "B" * 32)
    check_content(read_send(CH, "x", {}, Picture("a.png", b"x")), bot)
