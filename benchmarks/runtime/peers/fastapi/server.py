"""FastAPI as its users write it (models on both sides), and at its quickest (neither, and orjson)."""

import orjson
from fastapi import FastAPI, Request, Response
from fraud import VERSION, Model, decision, features
from pydantic import BaseModel

MODEL = Model()
app = FastAPI()


class Payment(BaseModel):
    request_id: str
    entity_id: str
    amount: float
    country: str
    device: str
    history: list[float]


class Decision(BaseModel):
    request_id: str
    score: float
    decision: str
    model_version: str


@app.post("/predict")
async def predict(payment: Payment) -> Decision:
    [score] = MODEL.scores([features(payment.amount, payment.country, payment.device, payment.history)])
    return Decision(request_id=payment.request_id, score=score, decision=decision(score), model_version=VERSION)


@app.post("/raw")
async def raw(request: Request) -> Response:
    answer = MODEL.answer(orjson.loads(await request.body()))
    return Response(orjson.dumps(answer), media_type="application/json")
