"""Every row of qq-platform.md section 7.1 is served: without a token each answers 11241."""

from typing import Any

import pytest

from onebridge.sandbox.server import Sandbox

INDEX = """
POST /v2/groups/{group}/messages
POST /v2/users/{user}/messages
POST /v2/users/{user}/stream_messages
POST /channels/{channel}/messages
POST /dms/{guild}/messages
DELETE /v2/groups/{group}/messages/{message}
DELETE /v2/users/{user}/messages/{message}
DELETE /channels/{channel}/messages/{message}?hidetip=true
DELETE /dms/{guild}/messages/{message}?hidetip=true
GET PATCH /channels/{channel}/messages/{message}
POST /v2/groups/{group}/files
POST /v2/users/{user}/files
POST /v2/groups/{group}/upload_prepare
POST /v2/users/{user}/upload_prepare
POST /v2/groups/{group}/upload_part_finish
POST /v2/users/{user}/upload_part_finish
GET /v2/groups/{group}/info
GET /v2/groups/{group}/bot_state
GET /v2/groups/{group}/join_request_list
POST /v2/groups/{group}/approval_join_request/{user}
GET POST /v2/groups/{group}/restrict_chat_setting
GET POST /v2/groups/join_approval_strategy
PATCH DELETE /v2/groups/join_approval_strategy/{strategy}
POST /v2/groups/join_approval_strategy/{strategy}/execute
POST /v2/groups/join_approval_strategy/{strategy}/whitelist_users
GET POST /v2/groups/{group}/members
GET /v2/groups/{group}/members/{user}
POST /v2/groups/{group}/batch_remove_members
GET POST /v2/groups/{group}/member_blacklist
POST /v2/generate_url_link
PUT /interactions/{interaction}
GET /users/@me
GET /users/@me/guilds?before=1&after=2&limit=3
POST /users/@me/dms
GET /gateway
GET /gateway/bot
GET /guilds/{guild}
GET POST /guilds/{guild}/channels
GET PATCH DELETE /channels/{channel}
GET /guilds/{guild}/members?after=0&limit=1
GET DELETE /guilds/{guild}/members/{user}
GET /guilds/{guild}/roles/{role}/members?start_index=0&limit=1
GET POST /guilds/{guild}/roles
PATCH DELETE /guilds/{guild}/roles/{role}
PUT DELETE /guilds/{guild}/members/{user}/roles/{role}
PATCH /guilds/{guild}/mute
PATCH /guilds/{guild}/members/{user}/mute
GET PUT /channels/{channel}/members/{user}/permissions
GET PUT /channels/{channel}/roles/{role}/permissions
POST /guilds/{guild}/announces
DELETE /guilds/{guild}/announces/{message}
PUT DELETE /channels/{channel}/pins/{message}
GET /channels/{channel}/pins
PUT DELETE GET /channels/{channel}/messages/{message}/reactions/1/277
GET POST /channels/{channel}/schedules
GET PATCH DELETE /channels/{channel}/schedules/{schedule}
GET PUT /channels/{channel}/threads
GET DELETE /channels/{channel}/threads/{thread}
POST /channels/{channel}/audio
PUT DELETE /channels/{channel}/mic
GET /channels/{channel}/online_nums
GET /channels/{channel}/voice/members
GET /guilds/{guild}/message/setting
GET /guilds/{guild}/api_permission
POST /guilds/{guild}/api_permission/demand
"""
CALLS = [
    (method, path)
    for *methods, path in (line.split() for line in INDEX.strip().splitlines())
    for method in methods
]


@pytest.mark.parametrize(("method", "path"), CALLS)
async def test_it_is_served(client: Any, sandbox: Sandbox, method: str, path: str) -> None:
    url = sandbox.api_url + path.replace("{", "").replace("}", "")
    async with client.http.request(method, url) as response:
        assert response.status == 401
        assert (await response.json())["err_code"] == 11241


# What the index has and no document explains (docs/sandbox.md).
@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/v2/menu"), ("GET", "/v2/panels"), ("POST", "/channels/1/settingguide")],
)
async def test_it_is_not_served(client: Any, method: str, path: str) -> None:
    assert (await client.call(method, path)).status == 404
