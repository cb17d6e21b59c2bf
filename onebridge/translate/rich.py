"""Markdown and keyboard segments in every spelling that applications use (onebot11.md section 4.4).

Out comes what the platform takes (qq-platform.md sections 7.8 and 7.9). Inside these objects
nothing is changed: whoever sends them writes for the platform.
"""

from base64 import b64decode
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from onebridge.errors import ActionError
from onebridge.onebot.actions import Retcode
from onebridge.onebot.segments import Segment
from onebridge.translate.described import read_json

Json = dict[str, Any]

ROWS = BUTTONS = 5
"""A keyboard's most rows, and a row's most buttons (qq-platform.md section 7.9)."""

_MARKDOWN_KEYS = frozenset({"content", "custom_template_id", "template_id"})


class Card(NamedTuple):
    """A markdown message, with the keyboard that came inside the segment, if one did."""

    markdown: Json
    keyboard: Json | None = None

    @property
    def text(self) -> str:
        """What it says, for where markdown is refused: its source, or a template's values."""
        content = self.markdown.get("content")
        if isinstance(content, str):
            return content
        params = self.markdown.get("params")
        values = [
            value
            for param in (params if isinstance(params, list) else ())
            if isinstance(param, dict) and isinstance(param.get("values"), list)
            for value in param["values"]
            if isinstance(value, str)
        ]
        return "\n".join(values)


def read_markdown(segment: Segment) -> Card:
    """The card of a ``markdown`` segment.

    Taken are plain markdown in ``content`` or ``data``; the official object there, or spread over
    the segment's data; ``{"markdown": …, "keyboard": …}``; each also as JSON or ``base64://`` text.

    Raises:
        ActionError: 1400, it holds no markdown.
    """
    given = segment.data.get("data", segment.data.get("content"))
    value = _decoded(given) if given is not None else dict(segment.data)
    holder = read_json(value)
    if isinstance(holder, Mapping):
        inner = read_json(_decoded(holder.get("markdown", holder)))
        if isinstance(inner, str) and inner:
            inner = {"content": inner}
        if isinstance(inner, Mapping) and any(inner.get(key) for key in _MARKDOWN_KEYS):
            markdown = {key: item for key, item in inner.items() if key != "keyboard"}
            return Card(markdown, _inner_keyboard(holder) or _inner_keyboard(segment.data))
    if isinstance(value, str) and value:
        return Card({"content": value}, _inner_keyboard(segment.data))
    raise ActionError(
        Retcode.BAD_REQUEST,
        "a markdown segment needs data.content: markdown, or the platform's markdown object",
    )


def read_keyboard(segment: Segment) -> Json:
    """The keyboard of a ``keyboard`` segment: ``rows``, ``id`` or ``content`` at any usual depth.

    Raises:
        ActionError: 1400, it holds no keyboard.
    """
    keyboard = _keyboard(dict(segment.data))
    if keyboard is None:
        raise ActionError(
            Retcode.BAD_REQUEST,
            "a keyboard segment needs data.rows (a list of {buttons: […]}) or the id of a template",
        )
    return keyboard


def read_buttons(segment: Segment, openid_of: Callable[[Any], str]) -> Json:
    """The keyboard of a ``button`` segment: rows of ``{text, link | callback | input}``.

    Args:
        segment: Its rows are in ``data``, ``buttons`` or ``rows``; one row may stand alone.
        openid_of: The openid of a user that ``permission`` names; empty if that is nobody known.

    Raises:
        ActionError: 1400, it holds no buttons, or more than a keyboard takes.
    """
    keys = (key for key in ("data", "buttons", "rows") if key in segment.data)
    rows = read_json(_decoded(segment.data.get(next(keys, ""))))
    if isinstance(rows, list) and rows and all(isinstance(item, Mapping) for item in rows):
        rows = [rows]
    if not isinstance(rows, list) or not 1 <= len(rows) <= ROWS:
        raise _bad_buttons()
    keyboard_rows: list[Json] = []
    for number, row in enumerate(rows):
        if not isinstance(row, list) or not 1 <= len(row) <= BUTTONS:
            raise _bad_buttons()
        buttons = [_button(item, f"{number}-{place}", openid_of) for place, item in enumerate(row)]
        keyboard_rows.append({"buttons": buttons})
    return {"content": {"rows": keyboard_rows}}


def button_labels(keyboard: Json) -> str:
    """A keyboard's labels, for where keyboards are refused."""
    content = keyboard.get("content")
    rows = content.get("rows") if isinstance(content, Mapping) else None
    lines: list[str] = []
    for row in rows if isinstance(rows, list) else ():
        buttons = row.get("buttons") if isinstance(row, Mapping) else None
        labels = [
            str(button["render_data"].get("label", ""))
            for button in (buttons if isinstance(buttons, list) else ())
            if isinstance(button, Mapping) and isinstance(button.get("render_data"), Mapping)
        ]
        lines.append(" ".join(f"[{label}]" for label in labels if label))
    return "\n".join(filter(None, lines))


def _decoded(value: Any) -> Any:
    """A value, or what its ``base64://`` text holds."""
    if not isinstance(value, str) or not value.startswith("base64://"):
        return value
    try:
        return b64decode(value[9:]).decode()
    except ValueError as error:
        raise ActionError(
            Retcode.BAD_REQUEST, "a markdown or keyboard segment holds broken base64"
        ) from error


def _inner_keyboard(data: Mapping[str, Any]) -> Json | None:
    given = data.get("keyboard")
    return _keyboard(read_json(_decoded(given))) if given is not None else None


def _keyboard(value: Any, depth: int = 0) -> Json | None:
    if not isinstance(value, Mapping) or depth == 4:
        return None
    if isinstance(value.get("rows"), list):
        return {"content": dict(value)} if value["rows"] else None
    for key in ("content", "keyboard", "data"):
        if key in value:
            found = _keyboard(read_json(_decoded(value[key])), depth + 1)
            if found is not None:
                return found
    return {"id": str(value["id"])} if value.get("id") else None


def _button(item: Any, button_id: str, openid_of: Callable[[Any], str]) -> Json:
    if not isinstance(item, Mapping):
        raise _bad_buttons()
    label = str(item.get("text") or item.get("label") or item.get("show") or "")
    kind, data = next(
        (
            (kind, str(item[key]))
            for key, kind in (("link", 0), ("callback", 1), ("input", 2), ("data", 2))
            if item.get(key)
        ),
        (2, label),
    )
    if not label and not data:
        raise _bad_buttons()
    return {
        "id": str(item.get("id") or button_id),
        "render_data": {
            "label": label or data,
            "visited_label": str(item.get("clicked_text") or label or data),
            "style": int(item.get("style") in (1, "1", None)),
        },
        "action": {
            "type": kind,
            "permission": _permission(item.get("permission"), openid_of),
            "data": data,
            "enter": bool(item.get("send") or item.get("enter")),
            "unsupport_tips": "请升级QQ",
        },
    }


def _permission(given: Any, openid_of: Callable[[Any], str]) -> Json:
    if given in (None, "", "all"):
        return {"type": 2}
    if given == "admin":
        return {"type": 1}
    named = given if isinstance(given, list) else [given]
    # Somebody unknown is left out: a button for a few must not become a button for everyone.
    return {"type": 0, "specify_user_ids": [found for one in named if (found := openid_of(one))]}


def _bad_buttons() -> ActionError:
    return ActionError(
        Retcode.BAD_REQUEST,
        f"a button segment needs data: 1 to {ROWS} rows of 1 to {BUTTONS} buttons, each with a text"
        " and a link, callback or input",
    )
