"""What all our models share: camelCase on the wire, frozen values, rules that the API server and we check alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from operator import attrgetter
from typing import Annotated, Any, ClassVar, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    StringConstraints,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from backstay_api.objects.names import key_of

GROUP = "backstay.dev"
VERSION = "v1alpha1"

# Every list, map and string has a bound: the API server refuses a CEL rule whose worst case it cannot bound (FACTS 3.1).
Text = Annotated[str, StringConstraints(max_length=4096)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=253, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")]
Label = Annotated[str, StringConstraints(min_length=1, max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
# One duration as Go and systemd users write it: "500ms", "1.5s", "10m", "1h30m". `durations.seconds` reads it.
Duration = Annotated[str, StringConstraints(max_length=32, pattern=r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$")]
# A pattern rather than `format: date-time`, whose exact meaning no two implementations share.
_RFC3339 = (
    r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?"
    r"(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$"
)
Timestamp = Annotated[str, StringConstraints(max_length=40, pattern=_RFC3339)]
"""RFC 3339, for people's eyes: no decision on which safety stands ever compares it with a clock."""
Argv = Annotated[list[Text], Field(min_length=1, max_length=64)]
"""A command as a list of arguments, the first an absolute path. No shell."""


@dataclass(frozen=True)
class Rule:
    """One rule on an object, in both languages: CEL for the API server, Python for us and the in-memory API.

    `check` gets the model; for a transition rule (`cel` names oldSelf) `check` gets (old, new).
    The property tests hold the two against each other.
    """

    cel: str
    message: str
    check: Callable[..., bool]

    @cached_property
    def is_transition(self) -> bool:
        return "oldSelf" in self.cel


@dataclass(frozen=True)
class ListMap:
    """Metadata for `Annotated[list[X], ListMap("name")]`: a list that the API server merges and keeps unique by key, or by two."""

    key: str
    second: str = ""

    @property
    def keys(self) -> list[str]:
        return list(filter(None, (self.key, self.second)))

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._unique, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {
            **handler(schema),
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": self.keys,
        }

    def _unique(self, items: list[Any]) -> list[Any]:
        if len(items) > 1 and len(set(map(attrgetter(*self.keys), items))) < len(items):
            raise ValueError(f"two entries with the same {' and '.join(self.keys)}")
        return items


@dataclass(frozen=True)
class Column:
    """One printer column of `kubectl get`."""

    name: str
    json_path: str
    type: str = "string"
    wide: bool = False
    description: str = ""


# pydantic's own looks for private fields and extra ones, which none of our models has, and makes Python ask it before each field is read:
# without it that takes a fifth of the time, and to read fields is most of what planning is.
if "__getattr__" in vars(BaseModel):
    delattr(BaseModel, "__getattr__")


class Model(BaseModel):
    """A part of an object. Unknown fields are dropped, as the API server prunes them."""

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        alias_generator=to_camel,
        populate_by_name=True,
        use_attribute_docstrings=True,
    )
    rules: ClassVar[tuple[Rule, ...]] = ()

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        # Only where there are rules: the planner makes thousands of small values a second, and most kinds have none.
        if any(not rule.is_transition for rule in cls.rules):
            setattr(cls, "_keeps_its_rules", model_validator(mode="after")(_kept))  # noqa: B010

    def __eq__(self, other: object) -> bool:
        return self is other or super().__eq__(other)  # as nearly always: values are frozen, and kept as they are

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        result = handler.resolve_ref_schema(handler(schema))
        if cls.rules:
            result["x-kubernetes-validations"] = [{"rule": r.cel, "message": r.message} for r in cls.rules]
        return result

    def wire(self) -> dict[str, Any]:
        """The JSON form: camelCase, without what is not set."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


def _kept(self: Any) -> Any:
    """The value itself, if it keeps its rules."""
    for rule in self.rules:
        if not rule.is_transition and not rule.check(self):
            raise ValueError(rule.message)
    return self


class Meta(Model):
    """The part of metadata that we read or write; the API server keeps the rest."""

    name: str = ""
    generate_name: str | None = None
    namespace: str | None = None
    uid: str | None = None
    resource_version: str | None = None
    generation: int | None = None
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    finalizers: list[str] | None = None
    owner_references: list[dict[str, Any]] | None = None


class Condition(Model):
    """One aspect of an object's state, in the form of `metav1.Condition`."""

    type: Annotated[str, StringConstraints(min_length=1, max_length=63, pattern=r"^[A-Z][A-Za-z0-9]*$")]
    """What is stated, in CamelCase."""
    status: Annotated[str, Field(pattern=r"^(True|False|Unknown)$", max_length=7)]
    """True, False or Unknown."""
    reason: Annotated[
        str, StringConstraints(min_length=1, max_length=128, pattern=r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$")
    ]
    """One CamelCase word for programs."""
    message: Text = ""
    """A sentence for people: what is true, why, and what they can do."""
    last_transition_time: Timestamp
    """When `status` last changed."""
    observed_generation: Annotated[int, Field(ge=0)] | None = None
    """The generation of the spec that this was judged by."""


Conditions = Annotated[list[Condition], Field(max_length=16), ListMap("type")]


class Object(Model):
    """A whole object as the API server keeps it."""

    plural: ClassVar[str]
    namespaced: ClassVar[bool]
    short_names: ClassVar[tuple[str, ...]] = ()
    categories: ClassVar[tuple[str, ...]] = ("backstay",)
    columns: ClassVar[tuple[Column, ...]] = ()
    has_status: ClassVar[bool] = True
    scales: ClassVar[bool] = False
    """`kubectl scale` sets its spec.replicas, and reads status.replicas."""

    api_version: str = f"{GROUP}/{VERSION}"
    kind: str = ""
    metadata: Meta

    @property
    def key(self) -> str:
        """`namespace/name`, or the name alone for cluster-wide kinds."""
        return key_of(self.metadata.namespace, self.metadata.name) if self.namespaced else self.metadata.name

    @property
    def uid(self) -> str:
        return self.metadata.uid or ""

    @classmethod
    def from_wire(cls, raw: Mapping[str, Any]) -> Self:
        return cls.model_validate(raw)


def exactly_one_of(**names: str) -> Rule:
    """Exactly one of these fields is set. Each is told by its name in Python, and as CEL and manifests have it."""
    cel = "[" + ", ".join(f"has(self.{wire})" for wire in names.values()) + "].exists_one(x, x)"
    return Rule(
        cel,
        f"exactly one of {', '.join(names.values())} must be set",
        lambda self: sum(getattr(self, name) is not None for name in names) == 1,
    )
