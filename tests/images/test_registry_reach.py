"""Where a registry may send its clients."""

import pytest

from cluster.images.client import reach

PUBLIC, PRIVATE = "52.1.2.3", "10.1.2.3"


@pytest.mark.parametrize(
    ("own", "other", "said"),
    [
        (PUBLIC, "104.16.1.1", ""),
        (PUBLIC, PRIVATE, ""),
        (PUBLIC, "127.0.0.1", "127.0.0.1 is this machine"),
        (PUBLIC, "::1", "::1 is this machine"),
        (PUBLIC, "::ffff:127.0.0.1", "127.0.0.1 is this machine"),
        (PUBLIC, "0.0.0.0", "0.0.0.0 is this machine"),
        (PUBLIC, "169.254.169.254", "169.254.169.254 is a link-local address"),
        (PUBLIC, "fe80::1%eth0", "fe80::1 is a link-local address"),
        (PRIVATE, "127.0.0.1", ""),
        (PRIVATE, "169.254.169.254", "169.254.169.254 is a link-local address"),
        (PRIVATE, "::ffff:169.254.169.254", "169.254.169.254 is a link-local address"),
        ("127.0.0.1", "127.0.0.2", ""),
        ("::1", "127.0.0.1", ""),
        ("127.0.0.1", "169.254.169.254", "169.254.169.254 is a link-local address"),
        ("169.254.1.1", "169.254.1.2", ""),
    ],
)
def test_a_registry_sends_nobody_where_only_he_can_reach(own: str, other: str, said: str):
    reached = reach.Reach("registry.example")
    reached.check(own)
    reached.check(own)
    if not said:
        reached.check(other)
        return
    with pytest.raises(reach.Forbidden) as caught:
        reached.check(other)
    assert caught.value.strerror == f"{said}, to which registry.example may not send its clients"
