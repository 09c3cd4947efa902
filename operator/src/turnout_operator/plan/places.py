"""Where things lie in a pod: agreed between the pod's volumes and the runtime's configuration."""

from turnout_operator.api.bundle import BundleLocation
from turnout_operator.api.log_sinks import LogSink

CONFIG_DIRECTORY = "/etc/turnout"
CACHE_DIRECTORY = "/var/cache/turnout"
LOG_DIRECTORY = "/var/log/turnout"
SOURCE_DIRECTORY = "/var/run/turnout/source"
GATEWAY_CA_DIRECTORY = "/var/run/turnout/gateway"
GATEWAY_CA_FILE = "ca.crt"
REGISTRY_DIRECTORY = "/var/run/turnout/registry"
REPOSITORY_DIRECTORY = "/var/run/turnout/repository"
CLAIMS_DIRECTORY = "/var/run/turnout/claims"
SINKS_DIRECTORY = "/var/run/turnout/sinks"
SHIP_FILE = "ship.json"
SHARED_MEMORY_DIRECTORY = "/dev/shm"  # noqa: S108 - what both libraries use

HTTP_PORT = 8080
ADMIN_PORT = 8081
TRITON_PORT = 8001
SHIPPER_PORT = 9092

_MOUNTED_FILES = ("configmap", "pvc")
_ARCHIVES = (".tar.gz", ".tgz")


def mounted_bundle(location: BundleLocation) -> str | None:
    """The mounted file or folder of a bundle; None for one that the runtime downloads."""
    if location.scheme == "image":
        return SOURCE_DIRECTORY
    return f"{SOURCE_DIRECTORY}/{location.path}" if location.scheme in _MOUNTED_FILES else None


def bundle_folder(location: BundleLocation, digest: str) -> str:
    """The folder that holds the bundle's files once the runtime has it: in its cache unless it is mounted as such."""
    folder = location.scheme == "image" or (location.scheme == "pvc" and not location.path.endswith(_ARCHIVES))
    return (folder and mounted_bundle(location)) or f"{CACHE_DIRECTORY}/{digest.removeprefix('sha256:')}"


def claim_of(uri: str) -> tuple[str, str] | None:
    """Claim and path of `pvc://CLAIM/PATH`; None for another URI."""
    scheme, _, rest = uri.partition("://")
    name, _, path = rest.partition("/")
    return (name, path) if scheme == "pvc" else None


def data_path(uri: str) -> str:
    """What the runtime opens for a batch URI: the mounted path of a claim, else the URI itself."""
    claim = claim_of(uri)
    return f"{CLAIMS_DIRECTORY}/{claim[0]}/{claim[1]}" if claim else uri


def sink_claim_folder(name: str) -> str:
    """Where the claim of a sink is mounted."""
    return f"{SINKS_DIRECTORY}/{name}"


def sink_folder(sink: LogSink) -> str:
    """The root of a sink that writes to a claim."""
    path = sink.directory.path if sink.directory else None
    return f"{sink_claim_folder(sink.name)}/{path or ''}".rstrip("/")


def kafka_ca(name: str) -> str:
    """The file with the authority of a sink's brokers."""
    return f"{SINKS_DIRECTORY}/{name}/ca.crt"
