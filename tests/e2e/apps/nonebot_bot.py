"""A NoneBot2 bot as a user would write one; how it is connected is in its environment.

``MODE`` is ``reverse`` (it listens for the bridge's WebSocket), ``forward`` (it dials the bridge)
or ``http`` (it listens for posts and calls the bridge's HTTP API).
"""

import os
from pathlib import Path

import nonebot
from nonebot.adapters.onebot.v11 import Adapter

MODE = os.environ["MODE"]
PORT = int(os.environ.get("PORT", "0"))
BRIDGE = os.environ.get("BRIDGE", "")
SELF_ID = os.environ["SELF_ID"]
TOKEN = os.environ["TOKEN"]
SECRET = os.environ.get("SECRET", "")

DRIVERS = {"reverse": "~fastapi", "forward": "~websockets", "http": "~fastapi+~httpx"}
SETTINGS: dict[str, dict[str, object]] = {
    "reverse": {},
    "forward": {"onebot_ws_urls": [f"ws://{BRIDGE}/"]},
    "http": {"onebot_api_roots": {SELF_ID: f"http://{BRIDGE}/"}, "onebot_secret": SECRET},
}

nonebot.init(
    _env_file=None,
    driver=DRIVERS[MODE],
    host="127.0.0.1",
    port=PORT,
    log_level="DEBUG",
    command_start={"/"},
    onebot_access_token=TOKEN,
    **SETTINGS[MODE],
)
nonebot.get_driver().register_adapter(Adapter)

nonebot.load_plugins(str(Path(__file__).parent / "plugins"))

if __name__ == "__main__":
    nonebot.run()
