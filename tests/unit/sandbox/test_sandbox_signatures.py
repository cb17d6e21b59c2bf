"""The vectors of qq-platform.md section 4.5."""

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from onebridge.sandbox.webhook import sign, signing_key

KEYS = [
    ("K7pXw2NcQ9", "64cc2cbe313195059e6f346684569fe495490b0a7521d54414a5348c3227f184"),
    (
        "Zq3vT8uJ1oRkW6yB0nHfD5aMxC2eGsLiP9",
        "7361498ad6d1ea390056484629bca8a6ae234912040696bfd0bc8697b6fca96e",
    ),
    ("DG5g3B4j9X2KOErG", "8b28ded5630f9051c205dd04c6ec56ad0b08b8812b2fe30ee9aece0ab41926f3"),
    (
        "naOC0ocQE3shWLAfffVLB1rhYPG7",
        "d7c362fe78aef81ff23287b493628b5db02a3c4fe30b215e4d19609b5d76673a",
    ),
    ("123456abcdef", "1c3039fbc8134a9df2a09f47cf4bf9303440988cec3b22056b62470b85fa80a7"),
]
SIGNATURES = [
    (
        "K7pXw2NcQ9",
        "1767225600",
        "mB4tZ0eYhR8sLd2V",
        "15928985f9c572700923b7f992481d34a3eca64806bba258690e235052935d8c"
        "f6115f058bde910c1a1e915de330fab71804ec757070c3a625fda1d149be920b",
    ),
    (
        "K7pXw2NcQ9",
        "1767225601",
        '{"op":0,"s":7,"t":"FRIEND_ADD","id":"FRIEND_ADD:5f0c1c52-7a1e-4b8b-9a52-0d6b1f3e8a11",'
        '"d":{"timestamp":1767225600,"openid":"0123456789ABCDEF0123456789ABCDEF"}}',
        "76c24290d6b1f9fc7f0d21bd6ac0f7296a44608d83823e4825dc12fa3dc1c2eb"
        "b57b7089d0da669edaae4eeeb5f79d10ecdfd67b9cd9f755a39a859e430cd80a",
    ),
    (
        "Zq3vT8uJ1oRkW6yB0nHfD5aMxC2eGsLiP9",
        "1780000000",
        "plain-Token_0001",
        "265bb4caf7b3729ba44b26b4602063195bf202babbec650b13f363041777c10b"
        "d0640efe42f2f96e63a56fa5698850e37ecc9ec2c63985f0e17ab6451c9d060c",
    ),
    (
        "Zq3vT8uJ1oRkW6yB0nHfD5aMxC2eGsLiP9",
        "1780000003",
        '{"op":0,"s":42,"t":"GROUP_AT_MESSAGE_CREATE","d":{"content":" /签到 你好",'
        '"group_openid":"FEDCBA9876543210FEDCBA9876543210"}}',
        "44e21efd9ab2792f628a5238aa400c90e14d8b22a32fabb3c559291a5187bbff"
        "d72be2d9db951c7016c277b9ceb8dfa1f6fcc42031a13e8eba298e1d4f7cea03",
    ),
    (
        "DG5g3B4j9X2KOErG",
        "1725442341",
        "Arq0D5A61EgUu4OxUvOp",
        "87befc99c42c651b3aac0278e71ada338433ae26fcb24307bdc5ad38c1adc2d0"
        "1bcfcadc0842edac85e85205028a1132afe09280305f13aa6909ffc2d652c706",
    ),
]


@pytest.mark.parametrize(("secret", "public_key"), KEYS)
def test_keys(secret: str, public_key: str) -> None:
    public = signing_key(secret).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    assert public.hex() == public_key


@pytest.mark.parametrize(("secret", "timestamp", "body", "signature"), SIGNATURES)
def test_signatures(secret: str, timestamp: str, body: str, signature: str) -> None:
    assert sign(secret, timestamp, body.encode()) == signature
