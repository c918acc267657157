"""A controller that crashes is built and run again, and the others do not notice."""

import asyncio

import structlog
from controllerworld import deployment, running

from cluster.aio import virtual
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
