"""The table of reactions."""

from onebridge.bridge.refusals import RETCODES
from onebridge.delivery.reactions import REACTIONS, Reaction
from onebridge.qq.codes import CODE_RULES, FAMILY_RULES, KEYBOARD_RIGHTS, MARKDOWN_RIGHTS, Act


def test_every_refusal_has_a_reaction_and_an_answer() -> None:
    assert set(REACTIONS) == set(Act)
    assert set(RETCODES) == set(Act)


def test_only_what_certainly_did_nothing_is_sent_in_another_form() -> None:
    rules = [*CODE_RULES.values(), *(rule for _, rule in FAMILY_RULES)]
    for rule in rules:
        if REACTIONS[rule.act] in (Reaction.REPLAN, Reaction.RENEW, Reaction.POLICY):
            assert rule.certain


def test_rights_are_refusals_of_their_kind() -> None:
    assert {CODE_RULES[code].act for code in MARKDOWN_RIGHTS} == {Act.MARKDOWN_REFUSED}
    assert {CODE_RULES[code].act for code in KEYBOARD_RIGHTS} == {Act.KEYBOARD_REFUSED}
