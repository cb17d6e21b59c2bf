"""What ``/readyz`` tells."""

from onebridge.app.health import health_of


def test_an_account_that_is_started_anew_is_not_forgotten() -> None:
    health = health_of([], ["102000001"])
    assert not health.ok
    assert health.detail["accounts"]["102000001"]["state"] == "starting"


def test_a_store_that_cannot_be_written_is_told() -> None:
    health = health_of([], [], "the disk is full")
    assert not health.ok
    assert health.detail["store"] == "the disk is full"
