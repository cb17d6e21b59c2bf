"""Segments as text, for what a scene cannot show in its own way (onebot11.md section 4.4).

The words are Chinese because the people in the chat read them.
"""

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from onebridge.onebot.segments import Segment

EVERYONE = "@全体成员"


def describe(segment: Segment) -> str:
    """What a segment says, in words; empty if it has nothing to show, or its type is unknown."""
    words = _WORDS.get(segment.type)
    return words(segment) if words is not None else ""


def mention_text(segment: Segment) -> str:
    """An ``at`` as text: the name that the application gave, else what it named."""
    qq = segment.get("qq").strip()
    if qq == "all":
        return EVERYONE
    return "@" + (segment.get("name").strip().removeprefix("@") or qq)


def _always(words: str) -> Callable[[Segment], str]:
    return lambda _: words


def _lines(*keys: str) -> Callable[[Segment], str]:
    return lambda segment: "\n".join(filter(None, (segment.get(key).strip() for key in keys)))


def _labelled(label: str, *keys: str) -> Callable[[Segment], str]:
    def words(segment: Segment) -> str:
        found = next(filter(None, (segment.get(key).strip() for key in keys)), "")
        return f"[{label}: {found}]" if found else f"[{label}]"

    return words


MUSIC_PAGES: Mapping[str, str] = {
    "qq": "https://i.y.qq.com/v8/playsong.html?songid=",
    "163": "https://music.163.com/song?id=",
}


def _music(segment: Segment) -> str:
    page = MUSIC_PAGES.get(segment.get("type"))
    if page is not None and segment.get("id"):
        return "[音乐]\n" + page + segment.get("id")
    return "\n".join(("[音乐]", *filter(None, [_lines("title", "content", "url")(segment)])))


def _contact(segment: Segment) -> str:
    return f"[推荐{'群' if segment.get('type') == 'group' else '好友'}: {segment.get('id')}]"


def _location(segment: Segment) -> str:
    place = _lines("title", "content")(segment) or f"{segment.get('lat')}, {segment.get('lon')}"
    return f"[位置] {place}"


def _json_card(segment: Segment) -> str:
    """A card shows its prompt where it cannot be drawn; so does QQ itself in a list of chats."""
    card = read_json(segment.data.get("data"))
    if isinstance(card, dict):
        for key in ("prompt", "desc"):
            if isinstance(card.get(key), str) and card[key]:
                return str(card[key])
    return "[卡片消息]"


def _ark(segment: Segment) -> str:
    """The texts of a template card, in order: ``kv`` of qq-platform.md section 7.10."""
    texts = dict.fromkeys(_ark_texts(segment.data.get("kv")))
    return "\n".join(texts) or "[卡片消息]"


def _ark_texts(kv: Any) -> list[str]:
    texts: list[str] = []
    for pair in kv if isinstance(kv, list) else ():
        if not isinstance(pair, dict):
            continue
        if isinstance(pair.get("value"), str) and pair.get("key") not in ("#IMG#", "#METACOVER#"):
            texts.append(pair["value"])
        for item in pair["obj"] if isinstance(pair.get("obj"), list) else ():
            texts += _ark_texts(item.get("obj_kv") if isinstance(item, dict) else None)
    return texts


def _embed(segment: Segment) -> str:
    fields = segment.data.get("fields")
    names = [
        field["name"]
        for field in (fields if isinstance(fields, list) else ())
        if isinstance(field, dict) and isinstance(field.get("name"), str)
    ]
    return "\n".join(filter(None, (segment.get("title"), segment.get("prompt"), *names)))


def read_json(value: Any) -> Any:
    """A value that may be JSON as text; text that is none stays text."""
    if not isinstance(value, str) or value[:1].strip() not in ("{", "["):
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return value


_WORDS: Mapping[str, Callable[[Segment], str]] = {
    "share": _lines("title", "content", "url"),
    "music": _music,
    "contact": _contact,
    "location": _location,
    "json": _json_card,
    "xml": _always("[卡片消息]"),
    "ark": _ark,
    "embed": _embed,
    "tts": _lines("text"),
    "mface": lambda segment: segment.get("summary") or "[表情]",
    "poke": _always("[戳一戳]"),
    "dice": _labelled("骰子", "result", "value"),
    "rps": _labelled("猜拳", "result", "value"),
    "shake": _always("[窗口抖动]"),
    "gift": _always("[礼物]"),
    "redbag": _labelled("红包", "title"),
    "longmsg": _always("[长消息]"),
    "forward": _always("[合并转发]"),
    "basketball": _always("[篮球]"),
    "bubble_face": _always("[弹射表情]"),
    "weather": _labelled("天气", "city"),
}
