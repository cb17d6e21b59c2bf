"""A NoneBot that modules of other subjects connect to their bridges."""

import base64

from tests.e2e.programs import HERE, Program, python
from tests.e2e.stack import PICTURE, SECRET, SELF_ID, TOKEN, Bridge


def nonebot(mode: str, port: int, bridge: Bridge) -> Program:
    """The bot of ``apps/nonebot_bot.py``; ``mode`` is described there."""
    return python(
        f"NoneBot ({mode})",
        str(HERE / "apps/nonebot_bot.py"),
        env={
            "MODE": mode,
            "PORT": str(port),
            "BRIDGE": bridge.address,
            "SELF_ID": str(SELF_ID),
            "TOKEN": TOKEN,
            "SECRET": SECRET,
            "PICTURE_BASE64": base64.b64encode(PICTURE).decode(),
        },
    )
