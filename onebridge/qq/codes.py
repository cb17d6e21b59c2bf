"""The platform's error codes as a table (qq-platform.md sections 1.4 and 8.4)."""

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple


class Act(StrEnum):
    """What to do about an error; delivery has one branch for each that it can act upon."""

    REFRESH_TOKEN = "refresh_token"  # noqa: S105 - the name of an act, not a secret
    """Get a new access token and repeat the call once."""
    RETRY = "retry"
    """A passing fault."""
    RATE_LIMITED = "rate_limited"
    """Too fast or a quota is spent; wait."""
    AUDIT_PENDING = "audit_pending"
    """Accepted; a human decides. Not an error."""
    DUPLICATE = "duplicate"
    """This ``(msg_id, msg_seq)`` was used: delivered if it was our repeat, else take the next."""
    CREDIT_SPENT = "credit_spent"
    """Nothing is left of this ``msg_id`` or ``event_id``: try another, else proactively."""
    PROACTIVE_REFUSED = "proactive_refused"
    """Not allowed without a reply id, until the user or group allows it or says something."""
    URL_REFUSED = "url_refused"
    """It holds a URL that is not registered."""
    MARKDOWN_REFUSED = "markdown_refused"
    """Send it without markdown."""
    KEYBOARD_REFUSED = "keyboard_refused"
    """Send it without the keyboard."""
    CARD_REFUSED = "card_refused"
    """Send the ark or embed as text."""
    MENTION_ALL_REFUSED = "mention_all_refused"
    """Send it without the @all."""
    TOO_LONG = "too_long"
    """Split it."""
    MEDIA = "media"
    """The file is not accepted as it is: another format, a smaller one, or a link."""
    MEDIA_EXPIRED = "media_expired"
    """``file_info`` is invalid or has expired: upload again."""
    MUTED = "muted"
    """The bot or the group is muted for now."""
    NO_PERMISSION = "no_permission"
    """The bot lacks a right."""
    NOT_IN_GROUP = "not_in_group"
    """The bot is not a member, not a friend, or the other side refuses messages."""
    CONTENT_UNSAFE = "content_unsafe"
    """Hit by content safety."""
    CONFIG = "config"
    """The operator has to change something."""
    GONE = "gone"
    """What the call is about does not exist, or no longer."""
    NOT_ONLINE = "not_online"
    """The bot has to be connected to the gateway first."""
    PERMANENT = "permanent"
    """This call can never succeed as it is."""


class CodeRule(NamedTuple):
    """What one code means.

    Attributes:
        act: What to do.
        retryable: The same call may work later.
        certain: Nothing happened; False where the call may have had its effect all the same.
        zh, en: What went wrong and what to do, for people.
    """

    act: Act
    retryable: bool = False
    certain: bool = True
    zh: str = ""
    en: str = ""


def _rows(*rows: tuple[Iterable[int], CodeRule]) -> dict[int, CodeRule]:
    return {code: rule for codes, rule in rows for code in codes}


def _retry(zh: str, en: str, *, certain: bool = True) -> CodeRule:
    return CodeRule(Act.RETRY, retryable=True, certain=certain, zh=zh, en=en)


def _limited(zh: str, en: str) -> CodeRule:
    return CodeRule(Act.RATE_LIMITED, retryable=True, zh=zh, en=en)


def _final(act: Act, zh: str, en: str) -> CodeRule:
    return CodeRule(act, zh=zh, en=en)


_CONFIG = _final(
    Act.CONFIG, "凭证或机器人状态有误，请检查 app_id 与 app_secret", "check app_id and app_secret"
)
_IP_REFUSED = _final(
    Act.CONFIG,
    "本机出口 IP 不在白名单，请在开放平台「开发设置 → IP 白名单」中添加",
    "this machine's address is not on the bot's IP allow-list; add it in the console",
)
_EXPIRED = _final(Act.CREDIT_SPENT, "被动回复已过期", "the message can no longer be replied to")
_REPLY_ID = _final(
    Act.CREDIT_SPENT, "被回复的消息或事件无效", "the message or event that is replied to is invalid"
)
_MARKDOWN = _final(
    Act.MARKDOWN_REFUSED,
    "Markdown 内容不被接受",
    "the markdown is not accepted; it is sent as text",
)
_KEYBOARD = _final(Act.KEYBOARD_REFUSED, "按钮不被接受", "the keyboard is not accepted")
_CARD = _final(Act.CARD_REFUSED, "卡片消息不可用", "this card cannot be sent here")
_URL = _final(
    Act.URL_REFUSED,
    "消息含有未报备的网址，请在开放平台「消息URL配置」中报备，或改用 delivery.urls",
    "the text holds a URL that is not registered; register it in the console or set delivery.urls",
)
_UNSAFE = _final(
    Act.CONTENT_UNSAFE, "内容被平台安全策略拦截", "hit by the platform's content safety"
)
_PROACTIVE = _final(
    Act.PROACTIVE_REFUSED,
    "没有主动消息权限，需等用户发言或由对方开启",
    "proactive messages are not allowed here; wait for a message or let the other side allow them",
)
_QUOTA = _limited("超出频率或额度限制", "too many messages; a rate or quota is exceeded")
_ABSENT = _final(
    Act.NOT_IN_GROUP,
    "机器人不在该群或与该用户无好友关系",
    "the bot is not in that group or no friend",
)
_NO_RIGHT = _final(Act.NO_PERMISSION, "机器人没有该权限", "the bot lacks this right")
_GONE = _final(
    Act.GONE, "消息不存在或已被撤回", "the message does not exist, or was recalled before"
)
_BAD_CALL = _final(Act.PERMANENT, "请求不合法", "the call is not valid as it is")
_PASSING = _retry("平台暂时出错，请稍后重试", "a passing fault of the platform")
_INTERNAL = _retry(
    "平台内部错误，消息可能已送达", "an internal error; it may have arrived", certain=False
)
_SEND_FAULT = _retry(
    "平台发送异常，消息可能已送达", "sending failed; it may have arrived", certain=False
)
_MEDIA = _final(Act.MEDIA, "文件格式或大小不被接受", "the file's format or size is not accepted")
_MEDIA_FAULT = CodeRule(
    Act.MEDIA, retryable=True, zh="平台处理文件失败", en="the platform could not process the file"
)
_MUTED = CodeRule(
    Act.MUTED, retryable=True, zh="机器人或群被禁言", en="the bot or the group is muted"
)
_AUDIT = _final(Act.AUDIT_PENDING, "消息待人工审核", "accepted; waits for a human audit")
_CHANNEL_RIGHTS = _final(
    Act.NO_PERMISSION, "频道权限或日程设置被拒绝", "channel permission or schedule refused"
)

FAMILY_RULES: tuple[tuple[range, CodeRule], ...] = (
    (range(301_000, 303_000), _CHANNEL_RIGHTS),
    (
        range(501_000, 502_000),
        _final(Act.PERMANENT, "公告或精华操作失败", "announcement or pin failed"),
    ),
    (range(502_000, 503_000), _final(Act.NO_PERMISSION, "禁言操作失败", "muting failed")),
    (range(503_000, 504_000), _final(Act.PERMANENT, "论坛操作失败", "forum call failed")),
    (range(504_000, 505_000), _retry("消息设置读取失败", "message settings failed")),
    (
        range(610_000, 611_000),
        _final(Act.CONFIG, "频道接口权限不足", "guild API permission is missing"),
    ),
    (range(620_001, 620_008), _final(Act.PERMANENT, "表情表态失败", "the reaction was refused")),
    (range(630_001, 630_009), _final(Act.PERMANENT, "按钮回执失败", "the answer was refused")),
    (range(3_000_000, 4_000_000), _final(Act.PERMANENT, "编辑失败", "the edit was refused")),
)
"""Codes that are documented as a range only."""

CODE_RULES: dict[int, CodeRule] = _rows(
    # Accounts and rights.
    (
        (10001, 10003, 10004),
        _final(Act.PERMANENT, "账号、频道不存在", "unknown account or channel"),
    ),
    ((10000,), _MEDIA),
    ((11241, 11243, 11251, 11261, 11275), _CONFIG),
    ((11242, 11252), _PASSING),
    (
        (11244, 11245),
        CodeRule(Act.REFRESH_TOKEN, True, True, "访问令牌已过期", "the access token has expired"),
    ),
    (
        (11253,),
        _final(
            Act.CONFIG,
            "应用没有该接口权限，请在开放平台申请",
            "the bot has no right to this endpoint; apply for it in the console (q.qq.com)",
        ),
    ),
    (
        (11254,),
        _final(
            Act.CONFIG,
            "该接口已被封禁，请到开放平台查看通知",
            "this endpoint is banned for the bot; see the notices in the console (q.qq.com)",
        ),
    ),
    ((11263, 11281), _PASSING),
    ((11264, 11282), _NO_RIGHT),
    (
        (11265,),
        _final(
            Act.CONFIG,
            "机器人已被封禁，请到开放平台查看通知",
            "the bot is banned; see the notices in the console (q.qq.com)",
        ),
    ),
    ((11298, 40023002), _IP_REFUSED),
    (range(11301, 11307), _PASSING),
    (range(12001, 12004), _BAD_CALL),
    # Guild channels and DMs.
    ((20028,), _QUOTA),
    ((22006, 50006, 50035, 50038, 50039, 50043), _BAD_CALL),
    ((22009,), _QUOTA),
    ((40007, 50059), _BAD_CALL),
    ((50001,), _SEND_FAULT),
    ((50002,), _QUOTA),
    ((50037, *range(50040, 50043), *range(50054, 50058)), _MARKDOWN),
    (range(50045, 50054), _BAD_CALL),
    ((304003,), _URL),
    ((304004, 304005, 304011), _CARD),
    ((304012, 304014, 304036, 304041), _MARKDOWN),
    ((304037, 304038, 304039, 304040, 304057), _KEYBOARD),
    ((304010, 304017, 304021), _MEDIA_FAULT),
    ((304020,), _MEDIA),
    ((304016,), _SEND_FAULT),
    (
        (304018,),
        CodeRule(
            Act.NOT_ONLINE,
            True,
            True,
            "频道消息要求机器人在线，请使用 receive: websocket",
            "guild messages need the gateway; set `receive` to websocket",
        ),
    ),
    ((304019,), _final(Act.MENTION_ALL_REFUSED, "@全体 次数用尽", "the quota of @all is spent")),
    ((304022,), _QUOTA),
    ((304023, 304024), _AUDIT),
    ((304025,), _UNSAFE),
    ((304026, 304028), _REPLY_ID),
    ((304027, 304103), _EXPIRED),
    (range(304031, 304035), _final(Act.NOT_IN_GROUP, "私信不可用", "the DM is closed or missing")),
    ((304035, *range(304045, 304051)), _QUOTA),
    ((304044, 304051, 304052), _PASSING),
    ((304061,), _final(Act.PERMANENT, "消息内容无效", "the content is empty or invalid")),
    ((304062,), _KEYBOARD),
    ((304064,), _final(Act.NO_PERMISSION, "用户未授权订阅", "the user has not subscribed")),
    (
        (304080,),
        _final(Act.MEDIA_EXPIRED, "file_info 无效或已过期", "file_info expired; upload again"),
    ),
    ((304082, 304083), _MEDIA_FAULT),
    ((305007,), _KEYBOARD),
    ((306009,), _final(Act.PERMANENT, "openid 无效", "the openid is invalid")),
    ((306001,), _GONE),
    ((306002,), _final(Act.PERMANENT, "撤回失败", "the message cannot be recalled")),
    ((306003, 306005, 306006), _PASSING),
    ((306004,), _NO_RIGHT),
    ((340067,), _PASSING),
    ((340069,), _BAD_CALL),
    # Groups and C2C.
    ((40034004,), _MEDIA_FAULT),
    ((40034005, 40034026), _EXPIRED),
    ((40034006,), _UNSAFE),
    ((*range(40034008, 40034012), 40034124, 40034127), _MARKDOWN),
    ((40034024, 40034025, 40034027), _REPLY_ID),
    ((40034029,), _KEYBOARD),
    ((40034100,), _QUOTA),
    ((40034101, 40054003, 40054004), _ABSENT),
    ((40034102, 40034105), _PROACTIVE),
    ((40034106, 40034108, 40034109), _MARKDOWN),
    ((40034122, 40034123), _PROACTIVE),
    (
        (40034128,),
        _final(Act.CREDIT_SPENT, "被动回复超时或次数用尽", "this message's replies are used up"),
    ),
    ((40054002, 850018), _MUTED),
    (
        (40054005,),
        _final(
            Act.DUPLICATE, "消息被去重，msg_seq 已用过", "deduplicated: msg_seq was used before"
        ),
    ),
    ((40054006,), _PASSING),
    ((40054007, 40054018), _final(Act.TOO_LONG, "消息过长", "the message is too long")),
    ((40054010,), _URL),
    ((40054013,), _final(Act.NOT_IN_GROUP, "用户拒收消息", "the user refuses messages")),
    (
        (40054016,),
        _final(
            Act.CONFIG,
            "机器人已下线，请在开放平台重新上线",
            "the bot is taken offline; bring it back in the console (q.qq.com)",
        ),
    ),
    ((40061001,), _BAD_CALL),
    ((40061002,), _GONE),
    ((40062003,), _NO_RIGHT),
    ((40064004,), _final(Act.PERMANENT, "超过两分钟，不能撤回", "too late to recall (2 minutes)")),
    ((50065001,), _PASSING),
    ((40093001,), _PASSING),
    ((40093002,), _limited("今日上传额度用尽", "the daily upload quota is spent")),
    ((50055001, 50055002, 50055006), _SEND_FAULT),
    ((620006,), _limited("表情表态过于频繁", "reactions come too fast")),
    ((850019, 850031), _MEDIA),
    ((850026, 850027), _MEDIA_FAULT),
    # Safety and the rest.
    (range(1100100, 1100104), _UNSAFE),
    ((1100104,), _ABSENT),
    # Errors inside the platform, documented only together: it may have acted all the same.
    ((*range(1100300, 1100309), 1100499), _INTERNAL),
    ((3300006,), _UNSAFE),
    ((100001,), _limited("获取令牌过于频繁", "the access token was asked for too often")),
    ((100007, 100016), _CONFIG),
)
"""Code → rule. The token endpoint's own reading of 10004 and 1000xx is in ``token.py``."""

MARKDOWN_RIGHTS = frozenset({304036, 304041})
KEYBOARD_RIGHTS = frozenset({304037, 304057})
"""Codes that are about what a bot may send at all, not about what it sent (section 8.4)."""

NOT_OFFERED = frozenset({11253, 11254})
"""The endpoint is not open to this bot at all, whatever it is asked about."""

STATUS_RULES: dict[int, CodeRule] = {
    401: CodeRule(
        Act.REFRESH_TOKEN, True, True, "鉴权失败", "the platform refused the access token"
    ),
    403: _NO_RIGHT,
    404: _final(Act.PERMANENT, "接口不存在", "there is no such endpoint"),
    405: _final(Act.PERMANENT, "接口方法不支持", "the endpoint does not take this method"),
    413: _final(Act.MEDIA, "内容过大", "the upload is too large"),
    429: _limited("请求过于频繁", "too many requests"),
}
"""HTTP status → rule, for answers whose code is absent or unknown (section 8.5)."""


def code_rule(code: int) -> CodeRule | None:
    """The rule of a documented code; a code of its own wins over its family."""
    if code in CODE_RULES:
        return CODE_RULES[code]
    return next((rule for codes, rule in FAMILY_RULES if code in codes), None)
