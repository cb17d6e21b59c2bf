"""What the platform refuses in the content of a message, and with which words.

Pure: a request and facts in, nothing or ``RefusalError`` out. Which replies are allowed is the
ledger's business (``ledger.py``).

Source: qq-platform.md sections 7.2, 7.3, 7.8, 7.9 (requests), 8.4 (codes), 8.5 (HTTP status),
10.2 and 10.4 (tags, URLs, empty text).
"""

import re
from typing import Any

from msgspec import Struct

from onebridge.sandbox.model import Bot, Json, Scene

# The cap is not documented; one official client cuts at 4000, another at 5000 (section 7.2).
TEXT_LIMIT = 5000
ROWS = BUTTONS = 5

# Code: HTTP status and message. Statuses are 400 unless something else was observed (section 8.5).
CODES: dict[int, tuple[int, str]] = {
    10000: (400, "unsupported operation"),
    10001: (404, "unknown account"),
    10003: (404, "unknown channel"),
    10004: (404, "unknown guild"),
    11241: (401, "missing authorization"),
    11243: (401, "authorization is not of the form 'QQBot {access_token}'"),
    11244: (401, "token not exist or expire"),
    11253: (401, "app privilege not pass"),
    11282: (401, "bot is not an administrator"),
    11298: (401, "接口访问源IP不在白名单"),
    12002: (400, "bad request"),
    20028: (429, "channel message rate limit"),
    22006: (400, "msg_type does not match content"),
    22009: (429, "msg limit exceed"),
    40007: (400, "stream prefix changed"),
    50006: (400, "message is empty"),
    50035: (400, "form-data invalid"),
    50037: (400, "markdown allows only markdown and keyboard"),
    50038: (400, "referenced message is in another channel"),
    50039: (400, "referenced message not found"),
    50040: (400, "markdown invalid"),
    50049: (400, "only keyboard messages of this bot can be edited"),
    50057: (400, "markdown content and template are exclusive"),
    50059: (400, "input_notify type invalid"),
    302012: (400, "schedules of this administrator used up for today"),
    302021: (400, "schedules of this guild used up for today"),
    304003: (403, "url not allowed"),
    304004: (400, "ark not allowed"),
    304018: (400, "bot is not connected to the gateway"),
    304021: (400, "image download failed"),
    304026: (400, "msg_id invalid"),
    304027: (400, "msg_id expired"),
    304028: (400, "msg_id is not an @ of this bot"),
    304031: (400, "direct message closed"),
    304032: (400, "direct message session missing"),
    304034: (400, "not a member of the guild"),
    304036: (400, "markdown not allowed"),
    304040: (400, "keyboard content invalid"),
    304041: (400, "reply message not allow markdown"),
    304045: (429, "proactive messages of this channel used up for today"),
    304046: (429, "proactive channels of this guild used up for today"),
    304049: (429, "proactive direct messages to this user used up for today"),
    304050: (429, "proactive direct messages used up for today"),
    304057: (400, "custom keyboard not allowed"),
    304061: (400, "message content invalid"),
    304080: (400, "file_info invalid or expired"),
    306001: (400, "message to recall not found"),
    306004: (403, "no permission to recall"),
    306009: (400, "openid invalid"),
    340069: (400, "msg_type invalid"),
    501013: (400, "too many pins"),
    620002: (400, "too many kinds of reactions"),
    620003: (400, "reaction already set"),
    620004: (400, "reaction not set"),
    630001: (400, "interaction unknown"),
    630003: (400, "interaction answered before"),
    850018: (400, "group or bot muted"),
    850019: (500, "富媒体文件格式不支持"),
    850026: (400, "富媒体文件下载失败"),
    850031: (400, "file too big"),
    40034005: (400, "回复消息msg_id已过期"),
    40034008: (400, "markdown param empty"),
    40034009: (400, "markdown param contains newline"),
    40034010: (400, "markdown param contains markdown"),
    40034011: (400, "markdown content invalid"),
    40034024: (400, "msg_id无效或越权"),
    40034025: (400, "event_id无效或越权"),
    40034026: (400, "event_id已过期"),
    40034027: (400, "该事件类型不支持回复"),
    40034029: (400, "keyboard行列超限"),
    40034100: (400, "主动消息超过频次限制"),
    40034101: (400, "机器人不在群内"),
    40034105: (400, "主动消息失败, 无权限"),
    40034106: (400, "指令标签不支持该场景"),
    40034108: (400, "指令标签过长"),
    40034109: (400, "指令标签解析失败"),
    40034122: (400, "互动召回窗口已使用"),
    40034123: (400, "不支持互动召回"),
    40034127: (400, "无markdown模板权限"),
    40034128: (400, "被动回复超过时间或次数限制"),
    40054002: (400, "机器人被禁言"),
    40054004: (400, "无好友关系"),
    40054005: (400, "消息被去重，请检查请求msgseq"),
    40054007: (400, "消息内容过长"),
    40054010: (400, "请求参数不允许包含url"),
    40054013: (400, "用户拒收消息"),
    40061001: (400, "recall param invalid"),
    40061002: (400, "message id invalid"),
    40062003: (400, "no permission to recall"),
    40064004: (400, "消息发送超过两分钟，无法撤回"),
    40093001: (400, "part not received, retry"),
}
# Where the older number and the newer one differ (section 1.4).
NEW_CODES = {11298: 40023002}


class RefusalError(Exception):
    """A call that the platform does not accept.

    Attributes:
        code: The platform's number; ``None`` where a refusal was observed without one.
        status: HTTP status.
        message: Words beside it.
        data: Extra object in the body (audits).
    """

    def __init__(
        self,
        code: int | None,
        message: str | None = None,
        status: int | None = None,
        data: Json | None = None,
    ) -> None:
        super().__init__(code, message)
        known_status, known_message = CODES.get(code or 0, (400, "error"))
        self.code = code
        self.status = status or known_status
        self.message = message or known_message
        self.data = data

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"

    def body(self, trace: str) -> Json:
        """The error body (section 1.4); ``code`` and ``err_code`` may differ."""
        body: Json = {"message": self.message}
        if self.code is not None:
            body["code"] = self.code
            body["err_code"] = NEW_CODES.get(self.code, self.code)
        if self.data is not None:
            body["data"] = self.data
        body["trace_id"] = trace
        return body


class Picture(Struct, frozen=True):
    """A file part of a multipart request."""

    name: str
    content: bytes


class Send(Struct, frozen=True):
    """A request to send, read once; absent fields are empty."""

    scene: Scene
    conversation: str
    msg_type: int = 0
    content: str = ""
    markdown: Json | None = None
    keyboard: Json | None = None
    file_info: str = ""
    ark: Json | None = None
    embed: Json | None = None
    image: str = ""
    picture: Picture | None = None
    msg_id: str = ""
    event_id: str = ""
    msg_seq: int | None = None
    reference: str = ""
    reference_optional: bool = False
    is_wakeup: bool = False
    input_notify: Json | None = None

    @property
    def is_passive(self) -> bool:
        """Whether it answers something."""
        return bool(self.msg_id or self.event_id)


def _typed(body: Json, key: str, kind: type | tuple[type, ...], default: Any) -> Any:
    """A field of the right type; ``null`` counts as absent (section 7, botpy sends them)."""
    value = body.get(key)
    if value is None:
        return default
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is int):
        raise RefusalError(12002, f"{key} has a wrong type")
    return value


def read_send(scene: Scene, conversation: str, body: Json, picture: Picture | None = None) -> Send:
    """Read a request body; unknown fields are ignored.

    Raises:
        RefusalError: 12002, a field has the wrong type.
    """
    media = _typed(body, "media", dict, {})
    reference = _typed(body, "message_reference", dict, {})
    return Send(
        scene=scene,
        conversation=conversation,
        msg_type=0 if scene.is_guild else _typed(body, "msg_type", int, 0),
        content=_typed(body, "content", str, ""),
        markdown=_typed(body, "markdown", dict, None) or None,
        keyboard=_typed(body, "keyboard", dict, None) or None,
        file_info=_typed(media, "file_info", str, ""),
        ark=_typed(body, "ark", dict, None),
        embed=_typed(body, "embed", dict, None),
        image=_typed(body, "image", str, ""),
        picture=picture,
        msg_id=_typed(body, "msg_id", str, ""),
        event_id=_typed(body, "event_id", str, ""),
        msg_seq=_typed(body, "msg_seq", int, None),
        reference=_typed(reference, "message_id", str, ""),
        reference_optional=_typed(reference, "ignore_get_message_error", bool, False),
        is_wakeup=_typed(body, "is_wakeup", bool, False),
        input_notify=_typed(body, "input_notify", dict, None),
    )


def check_content(send: Send, bot: Bot, text_limit: int = TEXT_LIMIT) -> None:
    """Refuse what the scene cannot carry or the bot may not say.

    Raises:
        RefusalError: With the code of section 8.4.
    """
    if send.scene.is_guild:
        _check_guild_shape(send, bot)
    else:
        _check_openid_shape(send)
    if len(send.content) > text_limit:
        raise RefusalError(40054007)
    url_code = 304003 if send.scene.is_guild else 40054010
    if has_foreign_url(send.content, bot.url_allow):
        raise RefusalError(url_code)
    if send.markdown is not None:
        check_markdown(send.markdown, send.scene, text_limit)
        if has_foreign_url(_outside_links(str(send.markdown.get("content", ""))), bot.url_allow):
            raise RefusalError(url_code)
    if send.keyboard is not None:
        check_keyboard(send.keyboard, send.scene, bot)


def _check_openid_shape(send: Send) -> None:
    match send.msg_type:
        case 0:
            if send.markdown is not None or send.file_info or send.ark is not None:
                raise RefusalError(22006)
            if not send.content.strip():
                raise RefusalError(304061)
        case 2:
            if send.markdown is None or send.content:
                raise RefusalError(22006)
        case 3 | 4:
            raise RefusalError(304004)
        case 6 if send.scene is Scene.C2C:
            _check_input_notify(send)
        case 7:
            if not send.file_info or send.markdown is not None:
                raise RefusalError(22006)
        case _:
            raise RefusalError(340069 if send.scene is Scene.GROUP else 22006)


def _check_input_notify(send: Send) -> None:
    notify = send.input_notify or {}
    seconds = notify.get("input_second")
    if notify.get("input_type") not in range(1, 6) or not isinstance(seconds, int):
        raise RefusalError(50059)
    if not 1 <= seconds <= 60 or not send.msg_id:
        raise RefusalError(50059)


def _check_guild_shape(send: Send, bot: Bot) -> None:
    pictures = bool(send.image or send.picture)
    if send.markdown is not None:
        if send.content or pictures or send.embed is not None or send.ark is not None:
            raise RefusalError(50037)
        if not bot.guild_markdown:
            raise RefusalError(304041 if send.is_passive else 304036)
    elif send.ark is not None:
        raise RefusalError(304004)
    elif not (send.content.strip() or pictures or send.embed is not None):
        raise RefusalError(50006)


_PARAM_SYNTAX = re.compile(r"[*_~`#]|\[[^\]]*\]\(|^>|^- ")
_COMMAND_TAG = re.compile(r"<qqbot-cmd-(\w+)((?:\s+\w+=\"[^\"]*\")*)\s*/?>")
_ATTRIBUTE = re.compile(r"(\w+)=\"([^\"]*)\"")
_TAG_TEXT_LIMIT = 100


def check_markdown(markdown: Json, scene: Scene, text_limit: int = TEXT_LIMIT) -> None:
    """Refuse a markdown object that is not one (section 7.8)."""
    content = markdown.get("content")
    template = markdown.get("custom_template_id") or markdown.get("template_id")
    if content and template:
        raise RefusalError(50057)
    if template:
        for param in markdown.get("params") or []:
            for value in param.get("values") or [""]:
                _check_param(value)
        raise RefusalError(40034127)
    if not isinstance(content, str) or not content:
        raise RefusalError(40034011)
    if len(content) > text_limit:
        raise RefusalError(40054007)
    _check_command_tags(content, scene)


def _check_param(value: str) -> None:
    if not value:
        raise RefusalError(40034008)
    if "\n" in value:
        raise RefusalError(40034009)
    if _PARAM_SYNTAX.search(value):
        raise RefusalError(40034010)


def _check_command_tags(content: str, scene: Scene) -> None:
    tags = list(_COMMAND_TAG.finditer(content))
    if len(tags) != content.count("<qqbot-cmd-"):
        raise RefusalError(40034109)
    for tag in tags:
        attributes = dict(_ATTRIBUTE.findall(tag[2]))
        if tag[1] == "enter" and scene in (Scene.GROUP, Scene.CHANNEL):
            raise RefusalError(40034106)
        if "text" not in attributes or tag[1] not in ("enter", "input"):
            raise RefusalError(40034109)
        if any(len(attributes.get(name, "")) > _TAG_TEXT_LIMIT for name in ("text", "show")):
            raise RefusalError(40034108)


def check_keyboard(keyboard: Json, scene: Scene, bot: Bot) -> None:
    """Refuse a keyboard with too many rows or columns, or that cannot be read (section 7.9)."""
    if keyboard.get("id"):
        return
    if not bot.keyboard:
        raise RefusalError(304057)
    invalid = 304040 if scene.is_guild else 40034029
    rows = (keyboard.get("content") or {}).get("rows")
    if not isinstance(rows, list) or not 1 <= len(rows) <= ROWS:
        raise RefusalError(invalid)
    for row in rows:
        buttons = row.get("buttons") if isinstance(row, dict) else None
        if not isinstance(buttons, list) or not 1 <= len(buttons) <= BUTTONS:
            raise RefusalError(invalid)


# "Detection is aggressive" (section 10.4): bare domains count, also with Chinese right beside them.
_URL = re.compile(
    r"(?:(?:https?|ftp)://|(?<![A-Za-z0-9@._-])www\.)[^\s<>\"'，。）]*"
    r"|(?<![A-Za-z0-9@._-])(?:[A-Za-z0-9-]+\.)+"
    r"(?:com|cn|net|org|io|dev|cc|me|top|xyz|info|site|app|ai|tv|gg|co|edu|gov|vip|moe|link)"
    r"(?![A-Za-z0-9-])[^\s<>\"'，。）]*",
    re.IGNORECASE,
)
_LINK = re.compile(r"!?\[[^\]]*\]\([^)]*\)|<(?:https?://|qqbot-)[^>]*>")


def has_foreign_url(text: str, allowed: tuple[str, ...]) -> bool:
    """Whether text holds a URL that is not registered (section 10.4)."""
    for found in _URL.finditer(text):
        bare = found[0].split("://", 1)[-1]
        if not any(bare.startswith(prefix) for prefix in allowed):
            return True
    return False


def _outside_links(markdown: str) -> str:
    return _LINK.sub(" ", markdown)
