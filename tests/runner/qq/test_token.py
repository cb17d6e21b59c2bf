import asyncio
from typing import Any

import aiohttp
import pytest

from onebridge.config import PlatformUrls
from onebridge.observability import redactor
from onebridge.qq.errors import Act, CredentialsError, PlatformError, PlatformUnreachableError
from onebridge.qq.http import Hosts
from onebridge.qq.token import RETRY_AFTER, AccessToken
from tests.runner.qq.scripted_platform import ScriptedPlatform, SetClock, Silence, answer


@pytest.fixture
def token(http: aiohttp.ClientSession, platform: ScriptedPlatform, clock: SetClock) -> AccessToken:
    return AccessToken(http, platform.hosts, app_id="102", app_secret="s3cret", clock=clock)


async def gather(*coroutines: Any) -> list[Any]:
    return await asyncio.gather(*coroutines, return_exceptions=True)


async def test_the_request_is_the_documented_one(
    token: AccessToken, platform: ScriptedPlatform
) -> None:
    assert await token.get() == "token-1"
    (asked,) = platform.token_asked
    assert asked.method == "POST"
    assert asked.json == {"appId": "102", "clientSecret": "s3cret"}
    assert asked.headers["Content-Type"] == "application/json"


async def test_a_hundred_callers_cause_one_request(
    token: AccessToken, platform: ScriptedPlatform
) -> None:
    assert set(await gather(*(token.get() for _ in range(100)))) == {"token-1"}
    assert len(platform.token_asked) == 1


@pytest.mark.parametrize("expires_in", ["6841", 6841])
async def test_it_is_renewed_in_its_last_minute(
    token: AccessToken, platform: ScriptedPlatform, clock: SetClock, expires_in: object
) -> None:
    platform.tokens.append(answer({"access_token": "first", "expires_in": expires_in}))
    assert await token.get() == "first"
    clock.seconds += 6841 - 60.5
    assert await token.get() == "first"
    clock.seconds += 1
    assert await token.get() == "token-2"


@pytest.mark.parametrize("expires_in", [None, "", "soon", 0, -5])
async def test_a_lifetime_that_is_not_told_is_short(
    token: AccessToken, platform: ScriptedPlatform, clock: SetClock, expires_in: object
) -> None:
    platform.tokens.append(answer({"access_token": "first", "expires_in": expires_in}))
    assert await token.get() == "first"
    clock.seconds += 200
    assert await token.get() == "first"
    clock.seconds += 41
    assert await token.get() == "token-2"


async def test_a_token_that_is_nearly_over_is_not_asked_for_each_time(
    token: AccessToken, platform: ScriptedPlatform, clock: SetClock
) -> None:
    platform.tokens.append(answer({"access_token": "first", "expires_in": "30"}))
    for _ in range(14):
        assert await token.get() == "first"
        clock.seconds += 1
    clock.seconds += 2
    assert await token.get() == "token-2"


async def test_an_invalidated_token_is_fetched_anew(
    token: AccessToken, platform: ScriptedPlatform
) -> None:
    first = await token.get()
    token.invalidate(first)
    assert await token.get() == "token-2"
    token.invalidate(first)  # somebody who noticed late
    assert await token.get() == "token-2"
    assert len(platform.token_asked) == 2


@pytest.mark.parametrize("code", [10004, 100007, 100016])
@pytest.mark.parametrize("status", [200, 400])
@pytest.mark.parametrize("key", ["code", "err_code"])
async def test_rejected_credentials_say_what_to_do(
    token: AccessToken, platform: ScriptedPlatform, code: int, status: int, key: str
) -> None:
    platform.tokens.append(answer({key: code, "message": "invalid appid or secret"}, status))
    with pytest.raises(CredentialsError, match=r"console \(q\.qq\.com\)") as caught:
        await token.get()
    assert not caught.value.retryable
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("data", "status"),
    [({"code": 100001, "message": "too many requests"}, 200), (None, 502), ([], 200), ({}, 200)],
)
async def test_other_errors_pass_and_the_next_try_comes_soon(
    token: AccessToken, platform: ScriptedPlatform, clock: SetClock, data: Any, status: int
) -> None:
    platform.tokens.append(answer(data, status))
    with pytest.raises(PlatformError) as caught:
        await token.get()
    assert caught.value.retryable
    clock.seconds += RETRY_AFTER
    assert await token.get() == "token-2"


async def test_too_many_requests_is_known_as_that(
    token: AccessToken, platform: ScriptedPlatform
) -> None:
    platform.tokens.append(answer({"code": 100001, "message": "too many requests"}))
    with pytest.raises(PlatformError) as caught:
        await token.get()
    assert caught.value.act is Act.RATE_LIMITED


async def test_a_failure_is_shared_by_those_who_waited_for_it(
    token: AccessToken, platform: ScriptedPlatform
) -> None:
    platform.tokens.append(answer(None, 503))
    results = await gather(*(token.get() for _ in range(50)))
    assert all(isinstance(result, PlatformError) for result in results)
    assert len(platform.token_asked) == 1


async def test_a_token_host_that_is_down_comes_back(
    http: aiohttp.ClientSession, platform: ScriptedPlatform, clock: SetClock
) -> None:
    # As in Gensokyo, where a failed refresh slept for a whole lifetime (peers.md 2.9 number 15).
    hosts = platform.hosts
    port = int(platform.url.rpartition(":")[2])
    token = AccessToken(http, hosts, app_id="102", app_secret="s", clock=clock)
    assert await token.get() == "token-1"
    await platform.close()
    clock.seconds += 7199 - 30
    assert await token.get() == "token-1"  # still good
    clock.seconds += 30
    with pytest.raises(PlatformUnreachableError) as caught:
        await token.get()
    assert caught.value.certain
    await platform.open(port)
    clock.seconds += RETRY_AFTER
    assert await token.get() == "token-2"


async def test_the_old_token_is_used_while_it_is_renewed(
    token: AccessToken, platform: ScriptedPlatform, clock: SetClock, no_answer: Silence
) -> None:
    first = await token.get()
    clock.seconds += 7200 - 30
    platform.tokens.append(no_answer)
    async with asyncio.TaskGroup() as tasks:
        renewal = tasks.create_task(token.get())
        await no_answer.reached.wait()
        assert await token.get() == first
        renewal.cancel()
    assert await token.get() == "token-3"  # whoever was cancelled left nothing behind


async def test_a_host_that_does_not_answer_is_not_waited_for_for_ever(
    http: aiohttp.ClientSession, platform: ScriptedPlatform, clock: SetClock, no_answer: Silence
) -> None:
    token = AccessToken(
        http, platform.hosts, app_id="102", app_secret="s", clock=clock, timeout=0.05
    )
    platform.tokens.append(no_answer)
    with pytest.raises(PlatformUnreachableError, match="no answer in time") as caught:
        await token.get()
    assert not caught.value.certain


async def test_the_reserve_is_kept_once_it_answered(
    http: aiohttp.ClientSession,
    platform: ScriptedPlatform,
    clock: SetClock,
    unused_urls: PlatformUrls,
) -> None:
    hosts = Hosts(unused_urls, platform.urls)
    token = AccessToken(http, hosts, app_id="102", app_secret="s", clock=clock)
    assert await token.get() == "token-1"
    assert hosts.current == platform.urls
    assert hosts.reserve is None


async def test_without_a_network_nothing_is_decided(
    http: aiohttp.ClientSession, clock: SetClock, unused_urls: PlatformUrls
) -> None:
    hosts = Hosts(unused_urls, unused_urls)
    token = AccessToken(http, hosts, app_id="102", app_secret="s", clock=clock)
    with pytest.raises(PlatformUnreachableError) as caught:
        await token.get()
    assert caught.value.certain
    assert hosts.reserve is not None


async def test_the_token_appears_in_no_log(
    token: AccessToken, platform: ScriptedPlatform, clock: SetClock, capfd: Any
) -> None:
    redactor.add(["unrelated"])
    platform.tokens.append(answer({"access_token": "VISIBLE", "expires_in": "100"}))
    platform.tokens.append(answer(None, 503))
    await token.get()
    clock.seconds += 60
    assert await token.get() == "VISIBLE"
    output = capfd.readouterr()
    assert "renewal_failed" in output.out + output.err
    assert "VISIBLE" not in output.out + output.err
    assert "s3cret" not in output.out + output.err
