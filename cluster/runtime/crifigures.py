"""CRI's calls about what sandboxes and containers use."""

from cluster.pb.cri.v1 import api_pb2 as pb
from cluster.runtime import crimetrics, lookups, messages, sandboxstats
from cluster.runtime.driver import Driver
from cluster.runtime.records import Sandbox, State


class Figures:
    """The part of the runtime's service object that tells them."""

    driver: Driver

    async def container_stats(self, request: pb.ContainerStatsRequest) -> pb.ContainerStatsResponse:
        """What one container uses now."""
        container = lookups.need(self.driver.containers, request.container_id, "container")
        return pb.ContainerStatsResponse(stats=(await self.driver.stats([container]))[0])

    async def list_container_stats(
        self, request: pb.ListContainerStatsRequest
    ) -> pb.ListContainerStatsResponse:
        """What the running containers use that the filter lets through."""
        wanted = request.filter
        id, pod = (  # noqa: A001
            lookups.whole(self.driver.containers, wanted.id),
            lookups.whole(self.driver.sandboxes, wanted.pod_sandbox_id),
        )
        found = [
            one
            for one in self.driver.containers.values()
            if one.state is State.RUNNING
            and id in ("", one.id)
            and pod in ("", one.sandbox.id)
            and messages.selected(one.config.labels, wanted.label_selector)
        ]
        return pb.ListContainerStatsResponse(stats=await self.driver.stats(found))

    async def pod_sandbox_stats(
        self, request: pb.PodSandboxStatsRequest
    ) -> pb.PodSandboxStatsResponse:
        """What one sandbox uses now."""
        sandbox = lookups.need(self.driver.sandboxes, request.pod_sandbox_id, "sandbox")
        return pb.PodSandboxStatsResponse(stats=await self._used(sandbox))

    async def list_pod_sandbox_stats(
        self, request: pb.ListPodSandboxStatsRequest
    ) -> pb.ListPodSandboxStatsResponse:
        """What the ready sandboxes use that the filter lets through."""
        wanted = request.filter
        pod = lookups.whole(self.driver.sandboxes, wanted.id)
        found = [
            await self._used(one)
            for one in list(self.driver.sandboxes.values())
            if one.ready
            and pod in ("", one.id)
            and messages.selected(one.config.labels, wanted.label_selector)
        ]
        return pb.ListPodSandboxStatsResponse(stats=found)

    async def list_metric_descriptors(
        self, _request: pb.ListMetricDescriptorsRequest
    ) -> pb.ListMetricDescriptorsResponse:
        """Which metrics the next call gives."""
        return pb.ListMetricDescriptorsResponse(descriptors=crimetrics.descriptors())

    async def list_pod_sandbox_metrics(
        self, _request: pb.ListPodSandboxMetricsRequest
    ) -> pb.ListPodSandboxMetricsResponse:
        """What the ready sandboxes use, as metrics."""
        stats = (await self.list_pod_sandbox_stats(pb.ListPodSandboxStatsRequest())).stats
        return pb.ListPodSandboxMetricsResponse(pod_metrics=crimetrics.of_sandboxes(stats))

    async def _used(self, sandbox: Sandbox) -> pb.PodSandboxStats:
        running = [one for one in sandbox.containers.values() if one.state is State.RUNNING]
        inside = await self.driver.stats(running)
        return sandboxstats.of(sandbox, inside, self.driver.time())
