"""Which bundle a ModelDeployment runs: where it is, what it must be, and who may fetch it."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, cast

from pydantic import Field

from turnout_operator.api.meta import SUBDOMAIN, SpecModel
from turnout_operator.api.pods import SecretRef
from turnout_operator.api.schema import Rule, matches

Scheme = Literal["configmap", "pvc", "http", "https", "s3", "gs", "az", "oci", "image"]

SEGMENT = r"[A-Za-z0-9_-][A-Za-z0-9._-]*"
_REPOSITORY = r"[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]{1,5})?(/[a-z0-9][a-z0-9._-]*)+"
_VERSION = r"(:[A-Za-z0-9_][A-Za-z0-9._-]{0,127})?(@sha256:[0-9a-f]{64})?"
_URI = (
    rf"configmap://{SUBDOMAIN}(/{SEGMENT})?"
    rf"|pvc://{SUBDOMAIN}(/{SEGMENT})+/?"
    r"|https?://[^/@\s]+/\S+"
    r"|(s3|gs|az)://[A-Za-z0-9][A-Za-z0-9._-]*/[^\s?#]+"
    rf"|(oci|image)://{_REPOSITORY}{_VERSION}"
)
_WITH_SECRET = ("s3", "gs", "az", "oci", "image")

URI_RULE = matches(
    _URI,
    "bundle.uri must be configmap://NAME[/KEY], pvc://CLAIM/PATH, http(s)://HOST/PATH.tar.gz, s3:// gs:// or"
    " az://BUCKET/PATH, oci://REGISTRY/NAME:TAG or image://REGISTRY/NAME:TAG (no user or password in it)",
)
DIGEST_RULE = matches(
    r"sha256:[0-9a-f]{64}",
    "bundle.digest must be sha256: and 64 lower-case hex digits; `turnout bundle digest DIR` prints it",
)


@dataclass(frozen=True)
class BundleLocation:
    """A parsed bundle URI.

    `name` is the ConfigMap, claim, bucket or host, `path` the rest: key, path or the rest of the URL. For oci and image
    `name` is the registry; `reference` is the whole of it.
    """

    scheme: Scheme
    name: str
    path: str

    @property
    def reference(self) -> str:
        """The URI without its scheme."""
        return f"{self.name}/{self.path}"


class Bundle(SpecModel):
    """Which workflow and model to run: a content-addressed bundle."""

    RULES: ClassVar = (
        Rule(
            f"!has(self.secretRef) || self.uri.matches('^({'|'.join(_WITH_SECRET)})://')",
            "bundle.secretRef is for s3, gs, az, oci and image: remove it, or move the bundle there",
            lambda bundle: bundle.secret_ref is None or bundle.location.scheme in _WITH_SECRET,
            field_path=".secretRef",
        ),
    )

    uri: Annotated[str, Field(max_length=2048), URI_RULE]
    """Where the bundle is: configmap://NAME[/KEY] (KEY is bundle.tar.gz by default), pvc://CLAIM/PATH (a folder or a
    .tar.gz), http(s)://HOST/PATH.tar.gz, s3://, gs:// or az://BUCKET/PATH (a .tar.gz, or a prefix that ends in /),
    oci://REGISTRY/NAME:TAG (an OCI artifact) or image://REGISTRY/NAME:TAG (an image whose root folder is the bundle,
    mounted by the node; needs nodes that can mount image volumes)."""
    digest: Annotated[str, Field(max_length=128), DIGEST_RULE]
    """Content digest of the bundle, sha256:<64 hex digits>, as `turnout bundle digest` prints it. A pod whose bundle
    has another digest does not start."""
    secret_ref: SecretRef | None = None
    """The Secret in the same namespace that lets the pods fetch the bundle. For s3, gs and az its keys are the
    variables of the object store, such as AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_ENDPOINT_URL; for oci and
    image it is of type kubernetes.io/dockerconfigjson."""

    @property
    def location(self) -> BundleLocation:
        """The URI in parts."""
        scheme, _, rest = self.uri.partition("://")
        name, _, path = rest.partition("/")
        path = path.rstrip("/") if scheme == "pvc" else path
        # URI_RULE holds.
        return BundleLocation(cast(Scheme, scheme), name, path or "bundle.tar.gz")
