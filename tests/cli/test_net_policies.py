"""How `kubemu net policies` shows a rule."""

import pytest
from click.testing import CliRunner

from cluster.cli import app
from cluster.cli.commands.net import common
from cluster.pb.cluster.v1 import overlay_pb2 as pb

HELD = pb.ListOverlayResponse(
    policies=[
        pb.Policy(
            key="default/np", namespace="default", name="np", addresses=["10.244.0.3"],
            ingress=True,
            ingress_rules=[
                pb.PolicyRule(
                    sets=["pods in namespaces team=a", "pods app=c in namespace default"],
                    blocks=[pb.PolicyBlock(cidr="172.17.0.0/16", **{"except": ["172.17.1.0/24"]})],
                    every_port=True,
                )
            ],
        )
    ],
    sets=[
        pb.AddressSet(key="pods in namespaces team=a"),
        pb.AddressSet(key="pods app=c in namespace default", addresses=["10.244.0.4", "10.9.9.9"]),
    ],
)  # fmt: skip


def test_a_peer_is_shown_by_its_selector_and_who_that_is(monkeypatch: pytest.MonkeyPatch) -> None:
    names = {"10.244.0.3": "default/web", "10.244.0.4": "default/c"}
    monkeypatch.setattr(common, "run", lambda _name, _story: (HELD, names))
    done = CliRunner().invoke(app.kubemu, ["net", "policies", "node-1"])
    assert done.output.splitlines()[1].split("   ")[-1] == (
        "from pods in namespaces team=a (none), pods app=c in namespace default "
        "(default/c, 10.9.9.9), 172.17.0.0/16 but 172.17.1.0/24 at every port"
    )
