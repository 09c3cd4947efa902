"""The runtime's one error tree: what stops a start, and what a request can end in."""

from collections.abc import Sequence
from typing import ClassVar

_SHOWN = 3  # faults of one request that its message tells


class TurnoutError(Exception):
    """Base of every error the runtime raises on purpose."""


class StartError(TurnoutError):
    """The pod cannot serve. The class name is the reason an operator reads; the message says what to do about it."""

    @property
    def reason(self) -> str:
        """The machine-readable reason, one of the subclasses' names."""
        return type(self).__name__


class ConfigInvalid(StartError):
    """The runtime's own configuration is missing or wrong."""


class BundleNotFound(StartError):
    """The bundle's source does not exist or cannot be reached."""


class DigestMismatch(StartError):
    """The bundle is not the one that the ModelDeployment asked for."""


class BundleInvalid(StartError):
    """The bundle is unsafe, incomplete, or its bundle.yaml or a model file is wrong."""


class WorkflowImportError(StartError):
    """The bundle's code failed on import, or has no such workflow."""


class RequirementsNotMet(StartError):
    """The bundle needs another Python or other packages than this image has."""


class CardMismatch(StartError):
    """The bundle's model card is not what the ModelDeployment requires."""


class SchemaMismatch(StartError):
    """The bundle's schemas are not those of its code."""


class GoldenExamplesFailed(StartError):
    """The workflow answered a golden example in another way than expected."""


class WorkflowSetupFailed(StartError):
    """The workflow could not be created, set up, or warmed up."""


class ModelServerNotReady(StartError):
    """The server that a model runs on does not answer, or does not get the model ready."""


class WorkerFailed(StartError):
    """One of several serving processes cannot serve, for the reason it gave, or dies again and again."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self._reason = reason

    @property
    def reason(self) -> str:
        """What the process itself said."""
        return self._reason


class BatchInvalid(StartError):
    """What an offline run reads or writes is missing, or does not fit what it was told."""


class BatchFailed(StartError):
    """An offline run broke off, or answered no row; its finished parts are kept."""


class LogInvalid(TurnoutError):
    """What is read of a prediction log, or of its labels, is missing, or does not fit what was asked."""


class FeedbackFailed(TurnoutError):
    """A table of feedback could not be sent, or not all of it was taken."""


class ShipFailed(TurnoutError):
    """A sink did not take all of a prediction log."""


class EvaluationInvalid(TurnoutError):
    """What an evaluation of the prediction log reads is missing, or does not fit what it was told."""


class LimitExceeded(TurnoutError):
    """An evaluation came to an end, and what it found is more than its caller allows."""


class TooLittleOverlap(TurnoutError):
    """The log says too little about a policy to estimate what that would have earned."""


class RequestError(TurnoutError):
    """A request that is refused. `slug`, `title` and `http_status` go to the caller, and so does the message."""

    slug: ClassVar[str] = "workflow-failed"
    title: ClassVar[str] = "The workflow failed"
    http_status: ClassVar[int] = 500


class InvalidRequest(RequestError):
    """The body is not a prediction request; the message names the field."""

    slug = "invalid-request"
    title = "The request is not valid"
    http_status = 400


class UnsupportedEncoding(InvalidRequest):
    """The body is packed in a way that is not unpacked here."""

    slug = "unsupported-encoding"
    title = "The content or transfer encoding is not supported"
    http_status = 415


class RequestTooSlow(InvalidRequest):
    """The head or the body did not arrive in time."""

    slug = "request-too-slow"
    title = "The request did not arrive in time"
    http_status = 408


class HeadTooLarge(InvalidRequest):
    """The request line and the headers exceed the limit."""

    slug = "head-too-large"
    title = "The request's headers are too large"
    http_status = 431


class ExpectationFailed(InvalidRequest):
    """The Expect header asks for something else than 100-continue."""

    slug = "expectation-failed"
    title = "The expectation cannot be met"
    http_status = 417


class BodyTooLarge(RequestError):
    """The body exceeds the limit."""

    slug = "body-too-large"
    title = "The request body is too large"
    http_status = 413


class Overloaded(RequestError):
    """The queue is full, or the wait in it too long: `cause` is `queue_full` or `queue_wait`."""

    slug = "overloaded"
    title = "Too many requests at once"
    http_status = 429

    def __init__(self, cause: str) -> None:
        super().__init__("all executions are busy; try again shortly")
        self.cause = cause


class RequestTimeout(RequestError):
    """The request's whole budget is spent."""

    slug = "timeout"
    title = "The request took too long"
    http_status = 504


class StageTimeout(RequestTimeout):
    """One stage's part of the budget is spent; `stage` is `facts` or `inference`."""

    slug = "stage-timeout"
    title = "A part of the request took too long"

    def __init__(self, stage: str) -> None:
        super().__init__(f"the budget of {stage} is spent")
        self.stage = stage


class RequestIdReused(RequestError):
    """A request_id came again with another body, within the window in which it names one request."""

    slug = "request-id-reused"
    title = "The request_id belongs to another request"
    http_status = 422


class InvalidFeedback(InvalidRequest):
    """Rows of feedback that are not in order; none of the request's rows is kept.

    `faults` are places in the request, counted from 0, and what is wrong there, beginning with the field.
    """

    slug = "invalid-feedback"
    title = "The feedback is not valid"
    http_status = 422

    def __init__(self, faults: Sequence[tuple[int, str]], listed_in: str | None) -> None:
        """`listed_in` is the field that the rows were a list in."""
        places = [f"{listed_in}.{place}.{text}" if listed_in else text for place, text in faults[:_SHOWN]]
        more = len(faults) - _SHOWN
        super().__init__("; ".join(places) + (f" (and {more:,} more)" if more > 0 else ""))
        self.faults = tuple(faults)


class FeedbackNotKept(RequestError):
    """The log takes no rows now: its disk is full or broken, or too slow for what comes."""

    slug = "feedback-not-kept"
    title = "The feedback cannot be kept now"
    http_status = 503


class ModelUnavailable(RequestError):
    """The server that a model runs on does not answer, or has lost the model."""

    slug = "model-unavailable"
    title = "The model's server is not available"
    http_status = 503


class Draining(RequestError):
    """This pod is going away; another one answers."""

    slug = "draining"
    title = "This replica is shutting down"
    http_status = 503


class NotFound(RequestError):
    """No such path on this port."""

    slug = "not-found"
    title = "There is nothing here"
    http_status = 404


class MethodNotAllowed(RequestError):
    """The path exists, with another method."""

    slug = "method-not-allowed"
    title = "The method is not allowed"
    http_status = 405


class WorkflowError(TurnoutError):
    """The workflow broke its side of the interface (a NaN score, a wrong row length, an undeclared fact)."""
