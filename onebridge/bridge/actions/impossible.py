"""Actions that applications know and that are never served, most because the platform cannot.

They are answered with retcode 1404 and HTTP 200, and say why, in both languages; a name that nobody
knows is HTTP 404. Source: onebot11.md section 3 (column "QQ?"), qq-platform.md.
"""

from collections.abc import Mapping
from typing import NamedTuple

from onebridge.errors import ActionError
from onebridge.onebot.actions import Retcode


class Reason(NamedTuple):
    """Why something cannot be done."""

    zh: str
    en: str

    @property
    def wording(self) -> str:
        """For the answer."""
        return f"{self.zh} / {self.en}"

    @property
    def error(self) -> ActionError:
        """For an action that works in some scenes only, where it is asked for in another."""
        return ActionError(Retcode.UNSUPPORTED, self.wording)


NO_LIKES = Reason(
    "官方机器人不能点赞，也看不到点赞",
    "bots of the official platform cannot like profiles, nor see who did",
)
NO_WHOLE_BAN = Reason(
    "官方平台没有全员禁言的接口，QQ 群只能禁言单个成员",
    "the official platform has no call that mutes a whole QQ group, only single members",
)
NO_INVITATIONS = Reason(
    "官方平台没有入群邀请：机器人由群成员直接添加",
    "the official platform asks no bot whether it wants to be in a group; members just add it",
)
NO_ANONYMOUS = Reason("官方平台没有匿名聊天", "the official platform has no anonymous chat")
NO_GROUP_SETTINGS = Reason(
    "官方平台不允许机器人更改 QQ 群的管理员、名片、头衔、名称、头像和设置",
    "the official platform lets no bot change administrators, cards, titles, name, picture or"
    " settings of a QQ group",
)
NO_LEAVING = Reason(
    "官方平台没有退群接口，只能由群管理员移除机器人",
    "the official platform has no call to leave a group; its administrators can remove the bot",
)
NO_FRIEND_REQUESTS = Reason(
    "官方平台没有加好友请求：用户直接添加机器人，机器人不能删除好友或改备注",
    "the official platform has no friend requests: people add a bot without asking, and it can"
    " neither remove nor rename them",
)
NO_HONOURS = Reason(
    "官方平台不提供群荣誉、群签到",
    "the official platform tells nothing of honours and sign-ins",
)
NO_NOTICES = Reason(
    "官方平台没有 QQ 群公告的接口",
    "the official platform has no calls for notices of QQ groups",
)
NO_NOTICE_LIST = Reason(
    "官方平台没有读取公告的接口，频道公告只能发布和撤下",
    "the official platform has no call that lists notices; those of channels can be published and"
    " withdrawn",
)
NO_REACTIONS = Reason(
    "官方平台只有频道消息可以贴表情，QQ 群、单聊和频道私信不行",
    "on the official platform only messages of channels take reactions: not those of QQ groups and"
    " private chats",
)
NO_PINS = Reason(
    "官方平台只有频道消息可以设为精华，QQ 群消息不行",
    "on the official platform only messages of channels can be pinned, not those of QQ groups",
)
NO_FILE_STORE = Reason(
    "官方平台没有群文件管理的接口，机器人只能把文件作为消息发送",
    "the official platform has no calls for a group's file store; a bot can only send a file as"
    " a message",
)
NO_ALBUMS = Reason("官方平台没有群相册的接口", "the official platform has no calls for albums")
NO_TRANSFERS = Reason(
    "官方平台没有闪传和在线文件",
    "the official platform has neither flash transfer nor online files",
)
NO_POKES = Reason("官方机器人不能戳一戳", "bots of the official platform cannot poke")
NO_PROFILE_CHANGES = Reason(
    "官方平台不允许机器人更改自己的资料、头像和在线状态",
    "the official platform lets no bot change its own profile, picture or presence",
)
NO_CLIENT_FUNCTIONS = Reason(
    "官方平台不提供这项 QQ 客户端功能",
    "this is a function of QQ's own clients that the official platform does not offer",
)
INNER_FUNCTION = Reason(
    "这是其他程序的内部功能，与官方平台无关",
    "this is an inner function of another program, which means nothing on the official platform",
)
NO_STREAMS = Reason(
    "不支持分块传输文件：发送时请用 base64://、URL 或本机路径",
    "files are not transferred in pieces here: send them as base64://, a URL or a path",
)
OTHER_WAYS = Reason(
    "事件请用 WebSocket、HTTP POST 或 get_updates 接收",
    "events come over WebSocket, HTTP POST, /events or get_updates",
)
REPLACED = Reason(
    "旧版 CQHTTP 的动作，请改用 get_friend_list 或 get_group_info",
    "an action of old CQHTTP: use get_friend_list or get_group_info",
)
NO_DISCUSSIONS = Reason("讨论组已不存在", "QQ has no discussion groups any more")

_BY_REASON: Mapping[Reason, tuple[str, ...]] = {
    NO_LIKES: (
        "send_like",
        "get_profile_like",
        "get_profile_like_me",
        "get_profile_like_count",
    ),
    NO_ANONYMOUS: (
        "set_group_anonymous",
        "set_group_anonymous_ban",
    ),
    NO_GROUP_SETTINGS: (
        "set_group_card",
        "set_group_special_title",
        "set_group_portrait",
        "set_group_remark",
        "set_group_add_option",
        "set_group_search",
        "set_group_robot_add_option",
        "set_group_member_invite_policy",
        "set_group_member_permissions",
        "set_group_new_member_history_visibility",
        "set_group_msg_mask",
        "set_group_todo",
        "complete_group_todo",
        "cancel_group_todo",
    ),
    NO_LEAVING: ("set_group_leave",),
    NO_FRIEND_REQUESTS: (
        "set_doubt_friends_add_request",
        "delete_friend",
        "delete_unidirectional_friend",
        "set_friend_remark",
        "set_friend_category",
    ),
    NO_HONOURS: (
        "get_group_honor_info",
        "send_group_sign",
        "set_group_sign",
    ),
    NO_NOTICE_LIST: ("_get_group_notice", "get_group_notice"),
    NO_FILE_STORE: (
        "delete_group_file",
        "create_group_file_folder",
        "delete_group_folder",
        "get_group_file_system_info",
        "get_group_files_by_folder",
        "move_group_file",
        "trans_group_file",
        "rename_group_file",
        "set_group_file_forever",
        "rename_group_file_folder",
    ),
    NO_ALBUMS: (
        "get_qun_album_list",
        "get_group_album_media_list",
        "upload_image_to_qun_album",
        "del_group_album_media",
        "set_group_album_media_like",
        "cancel_group_album_media_like",
        "do_group_album_comment",
        "get_group_album_list",
        "create_group_album",
        "delete_group_album",
        "upload_group_album",
    ),
    NO_TRANSFERS: (
        "create_flash_task",
        "send_flash_msg",
        "get_share_link",
        "download_fileset",
        "get_fileset_info",
        "get_flash_file_list",
        "get_flash_file_url",
        "get_fileset_id",
        "get_flash_file_info",
        "download_flash_file",
        "get_flash_file_download_urls",
        "upload_flash_file",
        "reshare_flash_file",
        "send_online_file",
        "send_online_folder",
        "get_online_file_msg",
        "receive_online_file",
        "refuse_online_file",
        "cancel_online_file",
    ),
    NO_POKES: (
        "group_poke",
        "friend_poke",
        "send_poke",
    ),
    NO_PROFILE_CHANGES: (
        "set_qq_profile",
        "set_qq_avatar",
        "set_self_longnick",
        "set_online_status",
        "set_diy_online_status",
    ),
    NO_CLIENT_FUNCTIONS: (
        "ocr_image",
        ".ocr_image",
        ".get_word_slices",
        "translate_en2zh",
        "get_ai_characters",
        "get_ai_record",
        "send_group_ai_record",
        "fetch_custom_face_detail",
        "add_custom_face",
        "delete_custom_face",
        "set_custom_face_desc",
        "get_recommend_face",
        "get_collection_list",
        "create_collection",
        "click_inline_keyboard_button",
        "ArkSharePeer",
        "send_ark_share",
        "ArkShareGroup",
        "send_group_ark_share",
        "get_mini_app_ark",
        "send_qzone_msg",
        "delete_qzone_msg",
        "qidian_get_account_info",
        "_get_vip_info",
        "nc_get_user_status",
    ),
    INNER_FUNCTION: (
        "nc_get_packet_status",
        "nc_get_rkey",
        "get_rkey",
        "get_rkey_server",
        "get_clientkey",
        "send_packet",
        "send_pb",
        "bot_exit",
        "scan_qrcode",
        "get_config",
        "set_config",
        "llonebot_debug",
        "reload_event_filter",
        "reboot_normal",
        "test_auto_register_01",
        "test_auto_register_02",
        "test_download_stream",
        "clean_data_dir",
        "clean_plugin_log",
        "set_restart_plugin",
        ".check_update",
    ),
    NO_STREAMS: (
        "upload_file_stream",
        "download_file_stream",
        "download_file_image_stream",
        "download_file_record_stream",
        "clean_stream_temp_file",
    ),
    OTHER_WAYS: ("get_event",),
    REPLACED: (
        "_get_friend_list",
        "_get_group_info",
    ),
    NO_DISCUSSIONS: (
        "send_discuss_msg",
        "set_discuss_leave",
    ),
}

IMPOSSIBLE: Mapping[str, Reason] = {
    name: reason for reason, names in _BY_REASON.items() for name in names
}
"""Name → why not. An action that becomes possible moves from here to the rows of its subject."""
