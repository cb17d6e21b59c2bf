"""A NoneBot2 bot with plugins that others wrote and that keep people in a database.

It is started in a folder of its own, where the database is; port and number are in its environment.
"""

import os

import nonebot
from nonebot.adapters.onebot.v11 import Adapter

nonebot.init(
    _env_file=None,
    driver="~fastapi",
    host="127.0.0.1",
    port=int(os.environ["PORT"]),
    command_start={"/"},
    onebot_access_token=os.environ["TOKEN"],
    sqlalchemy_database_url="sqlite+aiosqlite:///plugins.db",
    # The tables are made at the start; no migration is asked for.
    alembic_startup_check=False,
    localstore_use_cwd=True,
    chatrecorder_record_send_msg=True,
)
nonebot.get_driver().register_adapter(Adapter)
# The commands come last: they are built on the others.
for plugin in (
    "nonebot_plugin_alconna",
    "nonebot_plugin_chatrecorder",
    "nonebot_plugin_orm",
    "nonebot_plugin_saa",
    "nonebot_plugin_session_orm",
    "nonebot_plugin_uninfo",
    "nonebot_plugin_user",
    "nonebot_plugin_userinfo",
    "database_commands",
):
    nonebot.require(plugin)

if __name__ == "__main__":
    nonebot.run()
