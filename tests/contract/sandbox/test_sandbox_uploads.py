import hashlib
from base64 import b64encode
from typing import Any

import pytest

from onebridge.sandbox import uploads
from onebridge.sandbox.server import Sandbox

PNG = b"\x89PNG\r\n\x1a\n" + bytes(16)


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


@pytest.fixture
def group(sandbox: Sandbox) -> str:
    return sandbox.world.group("全量群").openid


async def test_inline_then_send(client: Any, sandbox: Sandbox, group: str) -> None:
    body = {"file_type": 1, "file_data": b64encode(PNG).decode(), "srv_send_msg": False}
    answer = await client.call("POST", f"/v2/groups/{group}/files", body)
    assert set(answer.body) == {"file_uuid", "file_info", "ttl"}
    assert answer.body["ttl"] == 259200
    send = {"msg_type": 7, "content": " ", "media": {"file_info": answer.body["file_info"]}}
    sent = await client.call("POST", f"/v2/groups/{group}/messages", send)
    [file_id] = sandbox.world.message(sent.body["id"]).files
    async with client.http.get(sandbox.world.file_url(sandbox.world.files[file_id])) as response:
        assert await response.read() == PNG
        assert response.headers["Content-Type"] == "image/png"
    openid = sandbox.world.user("小明").openid
    elsewhere = await client.call("POST", f"/v2/users/{openid}/messages", send)
    assert elsewhere.code == 304080


async def test_by_address(client: Any, sandbox: Sandbox, group: str) -> None:
    sent = sandbox.say("", scene="c2c", image=PNG)
    url = sandbox.world.file_url(sandbox.world.files[sent.files[0]])
    path = f"/v2/groups/{group}/files"
    answer = await client.call("POST", path, {"file_type": 1, "url": url})
    assert "file_info" in answer.body
    gone = await client.call("POST", path, {"file_type": 1, "url": sandbox.url + "/files/x/y"})
    assert gone.code == 850026
    odd = await client.call("POST", path, {"file_type": 1, "url": "file:///etc/passwd"})
    assert odd.code == 850026


async def test_what_cannot_be_uploaded(client: Any, group: str) -> None:
    path = f"/v2/groups/{group}/files"
    silk = b64encode(b"no silk").decode()
    for body, status, code in (
        ({"file_type": 3, "file_data": silk}, 500, 850019),
        ({"file_type": 1, "file_data": "data:image/png;base64,AA"}, 500, 850019),
        ({"file_type": 9, "file_data": silk}, 400, 10000),
        ({"file_type": 1}, 400, 10000),
        ({"file_type": 1, "upload_id": "x"}, 400, 10000),
    ):
        answer = await client.call("POST", path, body)
        assert (answer.status, answer.code) == (status, code)


async def test_sent_at_once_is_proactive(client: Any, sandbox: Sandbox, group: str) -> None:
    body = {"file_type": 1, "file_data": b64encode(PNG).decode(), "srv_send_msg": True}
    answer = await client.call("POST", f"/v2/groups/{group}/files", body)
    assert sandbox.world.message(answer.body["id"]).files
    closed = sandbox.world.group("测试群").openid
    refused = await client.call("POST", f"/v2/groups/{closed}/files", body)
    assert refused.code == 40034105


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "PART_BYTES", 10)


@pytest.mark.usefixtures("small_parts")
async def test_in_parts(client: Any, sandbox: Sandbox, group: str) -> None:
    content = b"0123456789abcdefghij+"
    base = f"/v2/groups/{group}"
    prepared = await client.call(
        "POST",
        f"{base}/upload_prepare",
        {
            "file_type": 4,
            "file_size": str(len(content)),
            "file_name": "书单.txt",
            "md5": md5(content),
            "sha1": hashlib.sha1(content).hexdigest(),
            "md5_10m": md5(content),
        },
    )
    plan = prepared.body
    assert plan["block_size"] == "10"
    assert [part["index"] for part in plan["parts"]] == [1, 2, 3]
    merge = {"upload_id": plan["upload_id"], "file_type": 4, "file_name": "书单.txt"}
    assert (await client.call("POST", f"{base}/files", merge)).code == 40093001
    for number, part in enumerate(plan["parts"]):
        piece = content[number * 10 : number * 10 + 10]
        done = {
            "upload_id": plan["upload_id"],
            "part_index": part["index"],
            "block_size": str(len(piece)),
            "md5": md5(piece),
        }
        early = await client.call("POST", f"{base}/upload_part_finish", done)
        assert early.code == 40093001
        async with client.http.put(part["presigned_url"], data=piece) as response:
            assert response.status == 200
        wrong = await client.call("POST", f"{base}/upload_part_finish", done | {"md5": "0" * 32})
        assert wrong.code == 40093001
        assert (await client.call("POST", f"{base}/upload_part_finish", done)).body == {}
        sandbox.world.clock.shift += 1  # ten calls a second are allowed
    elsewhere = f"/v2/users/{sandbox.world.user('小明').openid}/files"
    assert (await client.call("POST", elsewhere, merge)).code == 10000
    answer = await client.call("POST", f"{base}/files", merge)
    info = sandbox.world.file_infos[answer.body["file_info"]]
    stored = sandbox.world.files[info.file_id]
    assert (stored.content, stored.name) == (content, "书单.txt")
    assert (await client.call("POST", f"{base}/files", merge)).code == 10000


async def test_a_plan_needs_true_hashes(client: Any, group: str) -> None:
    plan = {
        "file_type": 4,
        "file_size": 5,
        "file_name": "a",
        "md5": md5(b"x"),
        "sha1": hashlib.sha1(b"x").hexdigest(),
        "md5_10m": md5(b"x"),
    }
    path = f"/v2/groups/{group}/upload_prepare"
    assert (await client.call("POST", path, plan)).status == 200
    assert (await client.call("POST", path, plan | {"md5": "ABC"})).code == 12002
    assert (await client.call("POST", path, plan | {"file_size": "many"})).code == 10000
    assert (await client.call("POST", path, plan | {"file_size": 300_000_000})).code == 850031


async def test_a_part_that_was_not_planned(client: Any, sandbox: Sandbox) -> None:
    async with client.http.put(f"{sandbox.url}/upload/x/1", data=b"x") as response:
        assert response.status == 404
