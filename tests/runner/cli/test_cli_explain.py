"""``onebridge explain``."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from onebridge.cli import main


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["explain", *arguments])


def test_a_cq_string_in_words() -> None:
    found = run("[CQ:reply,id=5]你好[CQ:image,file=https://a.example.com/1.png]")
    assert found.exit_code == 0
    assert "1. upload image" in found.output
    assert "2. post file with caption  (reply 1)" in found.output
    assert "group: uses 1 reply" in found.output


def test_json_messages_and_json_output() -> None:
    found = run('[{"type":"text","data":{"text":"[CQ:face,id=1]"}}]', "--scene", "dm", "--json")
    assert found.exit_code == 0
    (step,) = json.loads(found.output)["steps"]
    assert step["content"] == "[CQ:face,id=1]"


@pytest.mark.parametrize(
    ("left", "words"),
    [("2", "group: uses 2 replies"), ("1", "1 more would be sent without one")],
)
def test_replies_that_are_left(left: str, words: str) -> None:
    message = "[CQ:image,file=base64://1][CQ:image,file=base64://2]"
    assert words in run(message, "--credits", left).output


def test_what_cannot_be_sent_is_refused() -> None:
    found = run("[CQ:record,file=a.silk]", "--scene", "channel")
    assert found.exit_code == 1
    assert "retcode 1404" in found.output
    found = run("[CQ:record,file=a.silk]", "--scene", "channel", "--json")
    assert found.exit_code == 1
    assert '"retcode":1404' in found.output


def test_settings_of_a_configuration(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    account = {"app_id": "102000001", "app_secret": "secret"}
    path.write_text(json.dumps({"accounts": [account], "delivery": {"urls": "remove"}}))
    assert "example.com" not in run("看 example.com", "-c", str(path)).output
    assert run("好", "-c", str(tmp_path / "none.json")).exit_code == 2


def test_rights_that_a_bot_may_lack() -> None:
    assert "markdown" in run("[CQ:at,qq=1]好").output
    assert "post text" in run("[CQ:at,qq=1]好", "--no-markdown").output
