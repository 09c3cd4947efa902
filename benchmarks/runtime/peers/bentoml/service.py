"""BentoML with an async endpoint, one worker, no access log and no metrics: its quickest arrangement."""

from typing import Any

import bentoml
from fraud import Model


@bentoml.service(workers=1, logging={"access": {"enabled": False}}, metrics={"enabled": False})
class Fraud:
    def __init__(self) -> None:
        self.model = Model()

    @bentoml.api
    async def predict(
        self, request_id: str, entity_id: str, amount: float, country: str, device: str, history: list[float]
    ) -> dict[str, Any]:
        payment = {"amount": amount, "country": country, "device": device, "history": history}
        return self.model.answer({"request_id": request_id, "entity_id": entity_id, **payment})
