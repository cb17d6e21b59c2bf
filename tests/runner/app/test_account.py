"""An account that asks, without a platform."""

from typing import Any, cast

from onebridge.app.account import Account, AccountState
from onebridge.app.parts import Shared
from onebridge.clock import SystemClock
from onebridge.config import AccountSettings, Config, PlatformUrls
from onebridge.errors import GatewayError

NOTHING = cast("Any", None)
URLS = PlatformUrls(api_url="http://127.0.0.1:1", token_url="http://127.0.0.1:1/token")


async def test_shards_that_begin_anew_are_no_failure_any_more() -> None:
    settings = AccountSettings(app_id="102000001", app_secret="secret")
    shared = Shared(NOTHING, NOTHING, NOTHING, NOTHING, NOTHING, NOTHING, SystemClock())
    account = Account(settings, URLS, shared, Config(accounts=(settings,)))
    account.fail(GatewayError("the shard is invalid", fatal=True))

    async def shards() -> int:
        return 2

    assert await account.until_known(shards, "account.gateway_unknown") == 2
    assert account.state is AccountState.RUNNING
    assert account.failure == ""
