"""A controller that crashes is built and run again, and the others do not notice."""

import asyncio
import dataclasses

import structlog
from controllerworld import deployment, running

from cluster.aio import virtual
from cluster.api import resources
from cluster.controllers import catalog, context
from cluster.controllers.deployment.controller import DeploymentController


def test_a_controller_that_crashes_works_again_in_its_next_life(monkeypatch) -> None:
    whole, lives = DeploymentController.run, []

    async def run(self: DeploymentController) -> None:
        lives.append(self)
        if len(lives) < 3:
            raise ValueError("a fault")
        await whole(self)

    async def main() -> None:
        async with running() as world:
            await world.create("deployments.apps", deployment(replicas=2))
            async with asyncio.timeout(30):
                while len(await world.all("pods")) < 2:
                    await asyncio.sleep(0.5)

    monkeypatch.setattr(DeploymentController, "run", run)
    with structlog.testing.capture_logs() as logs:
        virtual.run(main())
    assert len({id(life) for life in lives}) == 3
    crashes = [log for log in logs if log["event"].startswith("crashed")]
    assert [(log["controller"], str(log["exc_info"])) for log in crashes] == [
        ("deployment", "a fault")
    ] * 2
    # Whoever crashed hears no more of what changes.
    assert all(life._ctx._closed for life in lives[:2])


def test_every_controller_can_be_built_again_in_a_full_world(monkeypatch) -> None:
    known: dict[str, tuple[catalog.Factory, context.Context]] = {}
    whole = catalog.factories

    def noted(name: str, factory: catalog.Factory) -> catalog.Factory:
        def build(ctx: context.Context) -> catalog.Controller:
            known[name] = factory, ctx
            return factory(ctx)

        return build

    def factories(ctx: context.Context, table: resources.Table) -> dict[str, catalog.Factory]:
        return {name: noted(name, factory) for name, factory in whole(ctx, table).items()}

    async def main() -> None:
        async with running() as world:
            ports = {"selector": {"app": "web"}, "ports": [{"port": 80}]}
            meta = {"name": "web", "namespace": "default"}
            service = {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": ports}
            await world.create("services", service)
            await world.create("deployments.apps", deployment(replicas=2))

            async def served() -> bool:
                slices = await world.all("endpointslices.discovery.k8s.io", "default")
                return sum(len(each.get("endpoints") or ()) for each in slices) == 2

            await world.until(served)
            assert len(known) > 25
            for factory, ctx in known.values():
                again = dataclasses.replace(ctx)
                factory(again)
                again.close()

    monkeypatch.setattr(catalog, "factories", factories)
    virtual.run(main())
