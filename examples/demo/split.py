"""Did the traffic split as the policy says? Pure."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from demo.replay import Answer

Z95 = 1.96


@dataclass(frozen=True)
class Split:
    """Which arms answered. An entity always sees the same arm, so entities are the independent draws, not requests."""

    requests: Counter[str]
    entities: Counter[str]
    returning: int
    torn: int

    @classmethod
    def of(cls, answers: Iterable[Answer]) -> "Split":
        """Count requests and entities by arm; `returning` entities came more than once, `torn` ones saw two arms."""
        requests, arms, visits = Counter[str](), defaultdict[str, set[str]](set), Counter[str]()
        for answer in answers:
            entity = answer.question.flight.entity_id
            requests[answer.arm] += 1
            visits[entity] += 1
            arms[entity].add(answer.arm)
        return cls(
            requests=requests,
            entities=Counter(arm for seen in arms.values() for arm in seen),
            returning=sum(count > 1 for count in visits.values()),
            torn=sum(len(seen) > 1 for seen in arms.values()),
        )

    def share(self, arm: str) -> float:
        """Share of entities, 0..1."""
        return self.entities[arm] / self.entities.total() if self.entities else 0.0

    def margin(self, arm: str) -> float:
        """Half of the 95 % interval of the share (normal approximation)."""
        share, n = self.share(arm), self.entities.total()
        return Z95 * math.sqrt(share * (1 - share) / n) if n else 1.0

    def z(self, arm: str, wanted: float) -> float:
        """Standard deviations between the observed and the wanted share (0..1)."""
        n = self.entities.total()
        spread = math.sqrt(wanted * (1 - wanted) / n) if n else 0.0
        return (self.share(arm) - wanted) / spread if spread else 0.0
