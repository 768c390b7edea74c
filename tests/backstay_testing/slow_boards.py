"""Fence agents of boards that are slow, fail for a while, or say too late what they have done."""

import asyncio
from collections.abc import Mapping

from backstay_api.objects.models.host import FenceDevice
from backstay_fencer.agents import Action
from backstay_fencer.processes import AgentRun
from backstay_testing.fake_bmc import FakeAgents
from backstay_testing.fencer_scene import Scene


class Moody(FakeAgents):
    """A device whose `on` fails, or does nothing, so many times."""

    def __init__(self, scene: Scene, *, fails: int = 0, ignores: int = 0) -> None:
        super().__init__(scene.agents.bmcs)
        self.fails, self.ignores = fails, ignores
        scene.agents = self

    async def run(self, device: FenceDevice, action: Action, secret: Mapping[str, str]) -> AgentRun:
        if action == "on" and (self.fails or self.ignores):
            self.calls.append(("moody", "on"))
            await asyncio.sleep(0.2)
            if self.fails:
                self.fails -= 1
                return AgentRun(1, "Connection timed out")
            self.ignores -= 1
            return AgentRun(0, "Success: Powered ON")
        return await super().run(device, action, secret)


class Slow(FakeAgents):
    """A device that says yes at once and switches off much later, be its agent ended or not."""

    def __init__(self, scene: Scene, after_s: float) -> None:
        super().__init__(scene.agents.bmcs)
        self._scene, self._after_s = scene, after_s
        scene.agents = self

    async def run(self, device: FenceDevice, action: Action, secret: Mapping[str, str]) -> AgentRun:
        if action != "off":
            return await super().run(device, action, secret)
        self.calls.append(("slow", "off"))
        asyncio.get_running_loop().call_later(self._after_s, self._scene.switch, False)
        return AgentRun(0, "Success: Powered OFF")
