"""Actions about files, pictures and voice."""

from onebridge.bridge.actions.rows import FLAG, Row, answer, record

YES = record(yes=FLAG)

ROWS = (
    Row("can_send_image", answer({"yes": True}), (), "Whether images can be sent.", YES),
    Row(
        "can_send_record",
        answer({"yes": False}),
        (),
        "Whether voice of any format can be sent: only SILK goes out as it is.",
        YES,
    ),
)
