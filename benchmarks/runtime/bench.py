"""What every section works with."""

from dataclasses import dataclass
from functools import cached_property

from benchmarks.harness.places import Cores
from benchmarks.harness.servers import Answer, Server
from benchmarks.harness.wrk import Burst, press
from benchmarks.runtime.environments import models
from benchmarks.runtime.workload.fraud import Model
from benchmarks.runtime.workload.requests import payments

REQUESTS = 2000
CHECKED = 20
WARMING_SECONDS = 1


@dataclass(frozen=True)
class Bench:
    """How much is measured: `rounds` of all servers in turn, each for `seconds`, over `connections`."""

    cores: Cores
    rounds: int
    seconds: int
    connections: int = 64

    @cached_property
    def payments(self) -> list[Answer]:
        """Requests, the same for every server."""
        return payments(REQUESTS)

    def answers(self, model: str) -> list[Answer]:
        """What the first CHECKED requests are answered by a trained model."""
        return Model(str(models() / f"{model}.onnx")).answers(self.payments[:CHECKED])

    def prepared(self, server: Server, model: str) -> Server:
        """A started server, once it answers as it should; warm."""
        server.ready(self.payments[0])
        server.check_answers(self.payments[:CHECKED], self.answers(model))
        self.press(server, seconds=WARMING_SECONDS)
        return server

    def press(self, server: Server, connections: int | None = None, seconds: int | None = None) -> Burst:
        """Closed-loop load."""
        messages = server.messages(self.payments)
        return press(server, messages, self.cores.load, connections or self.connections, seconds or self.seconds)
