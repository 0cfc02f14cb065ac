import threading

import pytest

from auditsvc.service.log_fields import log_fields, logged_with


def test_fields_hold_within_their_context() -> None:
    """Inner ones are added to the outer ones, and go, also where the block failed."""
    with logged_with(request_id="r1"):
        with logged_with(job="1"):
            assert log_fields() == {"request_id": "r1", "job": "1"}
        with pytest.raises(ZeroDivisionError), logged_with(job="2"):
            raise ZeroDivisionError
        assert log_fields() == {"request_id": "r1"}
    assert log_fields() == {}


def test_another_thread_has_its_own() -> None:
    """What one request says of itself is in no other's lines."""
    seen = []
    with logged_with(request_id="r1"):
        thread = threading.Thread(target=lambda: seen.append(log_fields()))
        thread.start()
        thread.join()
    assert seen == [{}]
