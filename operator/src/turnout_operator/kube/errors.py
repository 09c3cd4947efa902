"""What can go wrong between the operator and the API server."""


class ApiError(Exception):
    """The API server refused a request (Kubernetes `Status`)."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status = status
        self.reason = reason
        self.message = message


class Conflict(ApiError):
    """409: someone else was quicker."""


class NotFound(ApiError):
    """404: the object or its namespace does not exist."""


class Invalid(ApiError):
    """400, 403 or 422: the same request will be refused again until something changes."""


class NamespaceTerminating(Invalid):
    """403: the namespace is going away, and everything in it; nothing is left to do there."""


_BY_STATUS = {404: NotFound, 409: Conflict, 400: Invalid, 403: Invalid, 422: Invalid}


def api_error(status: int, reason: str, message: str) -> ApiError:
    """The error class for an HTTP status code."""
    return _BY_STATUS.get(status, ApiError)(status, reason, message)
