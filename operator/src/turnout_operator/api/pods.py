"""What a ModelDeployment's pods are made of: image, environment and placement."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from turnout_operator.api.meta import SUBDOMAIN, SpecModel, one_of
from turnout_operator.api.schema import ListMap, Rule, keys_match, matches

_LABEL_VALUE = r"([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)?"
_LABEL_KEY = rf"({SUBDOMAIN}/)?[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?"

IMAGE_RULE = matches(r"[^\s]+", "runtime.image must be an image reference such as registry.example/team/runtime:1.2")
ENV_NAME_RULE = matches(
    r"[A-Za-z_][A-Za-z0-9_]*",
    "an environment variable's name has letters, digits and _ only, and does not start with a digit",
)
RESERVED_ENV_RULE = Rule(
    "!self.startsWith('TURNOUT_')",
    "names that start with TURNOUT_ are the operator's own: choose another name",
    lambda name: not name.startswith("TURNOUT_"),
    reason="FieldValueForbidden",
)
NODE_SELECTOR_RULE = keys_match(_LABEL_KEY, "runtime.nodeSelector's keys must be label keys such as kubernetes.io/arch")
NODE_VALUE_RULE = matches(_LABEL_VALUE, "runtime.nodeSelector's values must be label values such as amd64")

SecretName = Annotated[str, Field(min_length=1, max_length=253)]


class SecretRef(SpecModel):
    """A Secret in the object's namespace."""

    name: SecretName
    """Name of the Secret."""


class SecretKey(SpecModel):
    """One key of a Secret in the object's namespace."""

    name: SecretName
    """Name of the Secret."""
    key: Annotated[str, Field(min_length=1, max_length=253)]
    """Key in the Secret's data."""


class EnvSource(SpecModel):
    """Where an environment variable's value comes from."""

    secret_key_ref: SecretKey
    """The key of a Secret in the same namespace that holds the value."""


class EnvVar(SpecModel):
    """An environment variable of the runtime container: a value, or a reference to one."""

    RULES: ClassVar = (
        one_of(
            {"value": lambda env: env.value, "valueFrom": lambda env: env.value_from},
            "give exactly one of value and valueFrom",
        ),
    )

    name: Annotated[str, Field(max_length=253), ENV_NAME_RULE, RESERVED_ENV_RULE]
    """Name of the variable; not starting with TURNOUT_."""
    value: Annotated[str, Field(max_length=8192)] | None = None
    """The value as written. Exactly one of value and valueFrom is given."""
    value_from: EnvSource | None = None
    """A reference to the value. Exactly one of value and valueFrom is given."""


class Toleration(SpecModel):
    """A taint that the pods tolerate, as in a pod's spec."""

    RULES: ClassVar = (
        Rule(
            "!has(self.value) || self.value == '' || !has(self.operator) || self.operator == 'Equal'",
            "a toleration with operator Exists has no value: remove value, or use operator Equal",
            lambda self: not self.value or self.operator != "Exists",
        ),
        Rule(
            "(has(self.key) && self.key != '') || (has(self.operator) && self.operator == 'Exists')",
            "a toleration without key tolerates every taint and needs operator Exists: add key or operator: Exists",
            lambda self: bool(self.key) or self.operator == "Exists",
        ),
        Rule(
            "!has(self.tolerationSeconds) || (has(self.effect) && self.effect == 'NoExecute')",
            "tolerationSeconds needs effect NoExecute: set it, or remove tolerationSeconds",
            lambda self: self.toleration_seconds is None or self.effect == "NoExecute",
        ),
    )

    key: Annotated[str, Field(max_length=317)] | None = None
    """Key of the taint. Absent with operator Exists: every taint."""
    operator: Literal["Equal", "Exists"] | None = None
    """How value is compared: Equal (when absent) or Exists."""
    value: Annotated[str, Field(max_length=63)] | None = None
    """Value of the taint. Absent with operator Exists."""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    """Effect of the taint. When absent: every effect."""
    toleration_seconds: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = None
    """Seconds that a NoExecute taint is tolerated. When absent: for ever."""


class Runtime(SpecModel):
    """How the runtime container is run."""

    image: Annotated[str, Field(max_length=1024), IMAGE_RULE] | None = None
    """Image of the runtime. Default: the operator's own choice, pinned when the revision is made."""
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    """When the image is pulled. Default: IfNotPresent."""
    env: Annotated[list[EnvVar], Field(max_length=64), ListMap("name")] = Field(default_factory=list)
    """Environment variables of the runtime container, at most 64. None by default."""
    node_selector: Annotated[
        dict[str, Annotated[str, Field(max_length=63), NODE_VALUE_RULE]],
        Field(max_length=32),
        NODE_SELECTOR_RULE,
    ] = Field(default_factory=dict)
    """Labels that a node must have to run the pods, at most 32. None by default."""
    tolerations: Annotated[list[Toleration], Field(max_length=32)] = Field(default_factory=list)
    """Taints that the pods tolerate, at most 32. None by default."""
