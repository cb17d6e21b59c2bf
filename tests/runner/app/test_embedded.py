"""The platform in the bridge's own process."""

import aiohttp
import pytest

from onebridge.app.embedded import EmbeddedPlatform
from onebridge.config import AccountSettings


@pytest.mark.parametrize("app_id", ["102000001", "102000777"])
async def test_it_knows_the_secret_of_the_configuration(app_id: str) -> None:
    """Also for the bot that the simulated world has of its own."""
    account = AccountSettings(app_id=app_id, app_secret="of my own", platform="embedded")
    platform = await EmbeddedPlatform.start()
    try:
        platform.admit([account])
        asked = {"appId": app_id, "clientSecret": account.app_secret}
        async with (
            aiohttp.ClientSession() as http,
            http.post(platform.urls.token_url, json=asked) as answer,
        ):
            assert "access_token" in await answer.json()
    finally:
        await platform.stop()
