"""Cards in guild messages: ``embeds`` and ``ark`` (qq-platform.md sections 6.5 and 7.10)."""

from typing import Any

from onebridge.qq.events import Card
from onebridge.qq.parsing import read_text

_PROMPTS = ("#PROMPT#", "#DESC#", "#TITLE#", "#METATITLE#")
"""Keys of a template card that say in a few words what it is, the best first."""


def read_guild_card(d: dict[str, Any]) -> Card | None:
    """The card of a message, as the platform gave it; of several embeds the first."""
    embeds = d.get("embeds")
    if type(embeds) is list and embeds and type(embeds[0]) is dict:
        embed = embeds[0]
        title = read_text(embed.get("title"))
        return Card("embed", title, read_text(embed.get("prompt")) or title, embed, is_worded=False)
    ark = d.get("ark")
    if type(ark) is not dict:
        return None
    texts = {
        read_text(item.get("key")): read_text(item.get("value"))
        for item in (ark["kv"] if type(ark.get("kv")) is list else ())
        if type(item) is dict
    }
    prompt = next(filter(None, map(texts.get, _PROMPTS)), "")
    return Card("ark", read_text(ark.get("template_id")), prompt, ark, is_worded=False)
