"""How ``onebridge run`` ends: exit codes and words that an operator can act on."""

import json
from pathlib import Path

from tests.e2e.programs import python
from tests.e2e.stack import SELF_ID, Bridge, Platform


def run(folder: Path, config: object) -> tuple[int | None, str]:
    """Exit code and output of a bridge that ends by itself."""
    file = folder / "config.json"
    file.write_text(json.dumps(config), encoding="utf-8")
    with python("bridge", "-m", "onebridge", "run", "-c", str(file)) as program:
        code = program.wait()
        return code, program.tail()


def test_an_ordered_stop_is_0(platform: Platform, tmp_path: Path) -> None:
    with Bridge(tmp_path, platform) as bridge:
        assert bridge.call("get_login_info")["user_id"] == SELF_ID
        assert bridge.stop() == 0


def test_a_fault_in_the_configuration_is_2(tmp_path: Path) -> None:
    code, words = run(tmp_path, {"accounts": [{"app_id": "1", "app_secrte": "x"}]})
    assert code == 2
    assert "app_secrte" in words
    assert "app_secret" in words
    assert "Traceback" not in words


def test_rejected_credentials_are_3(platform: Platform, tmp_path: Path) -> None:
    urls = {"api_url": platform.url, "token_url": f"{platform.url}/app/getAppAccessToken"}
    account = {"app_id": "102000001", "app_secret": "not the secret", "platform": urls}
    code, words = run(tmp_path, {"accounts": [account], "server": {"port": 0}})
    assert code == 3
    assert "not the secret" not in words
    assert "Traceback" not in words
