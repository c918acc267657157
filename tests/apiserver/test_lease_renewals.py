"""Renewals that are known again by their text are what all the rules would have made of them."""

import asyncio

import pytest
import registry_world as rw
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.aio import virtual
from cluster.api import errors
from cluster.apiserver import renewals
from cluster.apiserver.admission import defaults

LEASES = renewals.LEASES
TIMES = [f"2023-11-{day:02}T10:00:{second:02}.000000Z" for day in (14, 30) for second in range(6)]
ODD = ["2023-11-31T10:00:00.000000Z", "2023-02-29T10:00:00.000000Z", "2023-11-14T10:00:00Z", "no"]

renewal = st.sampled_from(TIMES + TIMES + ODD).map(lambda when: {"spec": {"renewTime": when}})
whole = st.sampled_from(TIMES).map(
    lambda when: {"spec": {"holderIdentity": "a", "leaseDurationSeconds": 40, "renewTime": when}}
)
other = st.sampled_from([
    {"metadata": {"annotations": {"renewTime": TIMES[1]}}},
    {"metadata": {"annotations": {"time": "2023-11-14T10:00:00Z"}}},
    {"metadata": {"labels": {"a": "b"}}},
    {"metadata": {"resourceVersion": "1"}, "spec": {"renewTime": TIMES[2]}},
    {"metadata": {"finalizers": ["example.com/keep"]}},
    {"spec": {"renewTime": None}},
    {"spec": {"holderIdentity": "b", "renewTime": TIMES[3]}},
    {"spec": {"holderIdentity": "", "renewTime": TIMES[4]}},
    {"spec": {"leaseDurationSeconds": -1, "renewTime": TIMES[5]}},
    {"spec": {"renewTime": TIMES[0]}, "unknown": 1},
])  # fmt: skip
steps = st.lists(
    st.tuples(
        st.one_of(renewal, renewal, whole, whole, other),
        st.sampled_from([0.0, 0.4, 10.0]),
        st.sampled_from(["kubelet", "kubelet", "kubelet", "other"]),
    ),
    max_size=14,
)


class _Heeding(defaults.chain().plugins[0].__class__):
    def heeds_renewals(self):
        return True


def history(taken, *, slow):
    """The stored bytes, or the refusal, after each patch of a lease."""
    seen = []

    async def main():
        plugins = defaults.chain().plugins
        chain = defaults.Chain((_Heeding(), *plugins[1:])) if slow else defaults.Chain(plugins)
        async with rw.world(admission=chain) as world:
            lease = {"metadata": {"name": "a"}, "spec": {"holderIdentity": "a"}}
            await world.create(LEASES, lease, field_manager="kubelet")
            for body, pause, manager in taken:
                await asyncio.sleep(pause)
                operation = rw.patch(LEASES, "a", body)
                operation = operation.stamped(0, manager, "Ignore" if pause else "Strict")
                (result,) = await world.registry.write([operation], rw.USER)
                seen.append(
                    str(result.status()) if isinstance(result, errors.StatusError) else result.json
                )

    virtual.run(main())
    return seen


@settings(max_examples=60)
@given(steps)
def test_patches_of_leases_leave_what_all_the_rules_leave(taken):
    assert history(taken, slow=False) == history(taken, slow=True)


def test_the_third_renewal_in_a_row_is_known():
    planned = []

    async def main():
        async with rw.world() as world:
            lease = {"metadata": {"name": "a"}, "spec": {"holderIdentity": "a"}}
            await world.create(LEASES, lease, field_manager="kubelet")
            for when in TIMES[:5]:
                operation = rw.patch(LEASES, "a", {"spec": {"renewTime": when}})
                await world.do(operation.stamped(0, "kubelet", "Ignore"))
                planned.append(len(slowly))

    slowly = []
    real = renewals.patch
    with pytest.MonkeyPatch.context() as patch:

        def counted(call, chain, slow):
            return real(call, chain, lambda *both: slowly.append(call) or slow(*both))

        patch.setattr(renewals, "patch", counted)
        virtual.run(main())
    assert planned == [1, 2, 2, 2, 2]


def test_a_webhook_or_policy_sees_every_renewal():
    async def main():
        async with rw.world() as world:
            chain = world.registry._chain
            assert not chain.heeds_renewals(LEASES)
            policy = {
                "metadata": {"name": "all"},
                "spec": {
                    "matchConstraints": {"resourceRules": [{
                        "apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"],
                        "resources": ["*"],
                    }]},
                    "validations": [{"expression": "true"}],
                },
            }  # fmt: skip
            resource = "validatingadmissionpolicies.admissionregistration.k8s.io"
            await world.create(resource, policy, "")
            assert chain.heeds_renewals(LEASES)

    virtual.run(main())
