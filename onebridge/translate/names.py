"""What people are called where the platform tells no name: the one rule for events and answers."""

from onebridge.keys import Identity

NAMED = "name:"
"""In front of the name that stands for an openid where the platform shows only a name."""


def shown_name(name: str, openid: str) -> str:
    """A name that is never empty: the one that was told, else one made of the openid."""
    if name:
        return name
    if openid.startswith(NAMED) and len(openid) > len(NAMED):
        return openid.removeprefix(NAMED)
    return f"用户{openid.removeprefix(NAMED)[:6]}"


def is_only_a_name(person: Identity) -> bool:
    """Whether nothing but a shown name is known of somebody."""
    return person.openid.startswith(NAMED)
