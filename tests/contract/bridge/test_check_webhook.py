"""What ``onebridge check`` says of a bot that receives by webhook."""

from pathlib import Path
from typing import Any

from onebridge.app.check import Finding, Level, check
from onebridge.config_file import parse_config
from onebridge.sandbox.server import Sandbox
from onebridge.sandbox.tls import make_certificates
from tests.contract.bridge.harness import configuration, running_sandbox
from tests.ports import free_port


async def findings(sandbox: Sandbox, folder: Path, **webhook: Any) -> dict[str, Finding]:
    raw = configuration(sandbox, free_port())
    raw["accounts"][0]["receive"] = "webhook"
    raw["webhook"] = {"port": free_port(), **webhook}
    config = parse_config(raw, {}, folder)
    return {finding.subject: finding async for finding in check(config, folder)}


async def test_the_listener_is_looked_at_and_the_gateway_is_not(tmp_path: Path) -> None:
    make_certificates(tmp_path)
    port = free_port()
    async with running_sandbox() as sandbox:
        tls = {"tls_cert": "server.pem", "tls_key": "server.pem"}
        found = await findings(sandbox, tmp_path, port=port, **tls)
    assert found[f"webhook 127.0.0.1:{port}"].level is Level.OK
    assert found["webhook TLS"].words == "certificate and key can be used"
    assert found["account 102000001"].level is Level.OK
    assert "account 102000001 gateway" not in found


async def test_a_certificate_that_is_none_and_a_port_in_use(tmp_path: Path) -> None:
    async with running_sandbox() as sandbox:
        port = int(sandbox.url.rsplit(":", 1)[1])
        tls = {"tls_cert": "missing.pem", "tls_key": "missing.pem"}
        found = await findings(sandbox, tmp_path, port=port, **tls)
    assert found[f"webhook 127.0.0.1:{port}"].level is Level.ERROR
    assert found["webhook TLS"].level is Level.ERROR
    assert "webhook.tls_cert: cannot read" in found["webhook TLS"].words


async def test_no_certificate_is_a_reverse_proxys_work(tmp_path: Path) -> None:
    async with running_sandbox() as sandbox:
        found = await findings(sandbox, tmp_path)
    assert "reverse proxy" in found["webhook TLS"].words
