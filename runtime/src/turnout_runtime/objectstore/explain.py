"""What went wrong with a store, in a text of our own. Pure.

The library's holds signed URLs, and servers answer with the key that they refuse, so none of it is ever shown.
"""

import re
from enum import StrEnum
from typing import NamedTuple

_STATUS = re.compile(r"status\D{0,12}([45]\d\d)\b(.*)", re.IGNORECASE | re.DOTALL)  # other numbers are ports and times
_REFUSED = re.compile(r"<Code>\w*(?:AccessKey|AccessDenied|Signature|Token|UserNotFound)\w*</Code>")
_NO_CREDENTIALS = re.compile(r"169\.254\.\d+\.\d+|metadata\.google|[Mm]issing \w*(?:credential|account)", re.IGNORECASE)
_MISSING = re.compile(r"NoSuchBucket|NoSuchKey")
_REFUSALS = frozenset({"PermissionDeniedError", "UnauthenticatedError"})
_VARIABLES = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (AWS_SKIP_SIGNATURE=true for a public bucket)",
    "gs": "GOOGLE_SERVICE_ACCOUNT or GOOGLE_SERVICE_ACCOUNT_KEY",
    "az": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
}


class Cause(StrEnum):
    """Why a store did not do what was asked."""

    REFUSED = "refused"
    MISSING = "missing"
    ANSWERED = "answered"
    UNREACHABLE = "unreachable"


class Explained(NamedTuple):
    """The cause, and a text that begins in the middle of a sentence: `"{uri}: {text}"`."""

    cause: Cause
    text: str


def explain(uri: str, error: Exception, secret: str = "", remedy: str = "") -> Explained:
    """What obstore's `error` means.

    `secret` goes behind the names of the variables that hold the credentials (` from spec.bundle.secretRef`), `remedy`
    behind the text of every other cause (`; check spec.bundle.uri`).
    """
    text, scheme = f"{type(error).__name__} {error}", uri.partition("://")[0]
    answered = _STATUS.search(text)
    status, body = (answered[1], answered[2]) if answered else ("", "")
    if (
        status in ("401", "403")
        or type(error).__name__ in _REFUSALS
        or _REFUSED.search(body)
        or _NO_CREDENTIALS.search(text)
    ):
        variables = _VARIABLES.get(scheme, "its variables")
        told = f"the store refuses the credentials, or there are none: set {variables}{secret}"
        return Explained(Cause.REFUSED, told)
    missing = isinstance(error, FileNotFoundError) or type(error).__name__ == "NotFoundError"
    if missing or status == "404" or _MISSING.search(text):
        return Explained(Cause.MISSING, f"no such bucket, or nothing in it under this name{remedy}")
    if status:
        return Explained(Cause.ANSWERED, f"the store answered {status}{remedy}")
    endpoint = "; AWS_ENDPOINT_URL names a store that is not Amazon's" if scheme == "s3" else ""
    return Explained(Cause.UNREACHABLE, f"cannot reach the store, or the transfer broke off{remedy}{endpoint}")
