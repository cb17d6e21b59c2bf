"""A pressed button makes a command plugin of an unchanged NoneBot bot answer."""

from pathlib import Path

from tests.e2e.bots import nonebot
from tests.e2e.stack import SELF_ID, Bridge, Platform
from tests.ports import free_port


def test_a_command_answers_a_button(platform: Platform, tmp_path: Path) -> None:
    convert = {"button_to_message": True}
    with (
        Bridge(tmp_path, platform, convert=convert) as bridge,
        nonebot("forward", free_port(), bridge) as program,
    ):
        program.wait_for_line(f"Bot {SELF_ID} connected")
        for scene in ("group", "c2c"):
            before = platform.say("hello", scene=scene)
            place = "group_openid" if scene == "group" else "user_openid"
            platform.ask(
                "/control/events",
                {
                    "type": "INTERACTION_CREATE",
                    "d": {
                        place: before.conversation,
                        "data": {"type": 11, "resolved": {"button_data": f"/echo {scene}"}},
                    },
                },
            )
            assert platform.answer_to(before).text == scene
