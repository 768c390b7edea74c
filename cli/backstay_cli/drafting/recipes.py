"""What is known of some programs beforehand: data, which adds to what the rules find and takes nothing away."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Recipe:
    """Of one program."""

    name: str = ""
    executables: tuple[str, ...] = ()
    """Patterns of its path."""
    config: tuple[str, ...] = ()
    """What it reads without being told."""
    volatile: tuple[str, ...] = ()
    """Patterns of what it makes at run time and can do without."""
    sysctls: tuple[str, ...] = ()
    careful: tuple[str, ...] = ()
    """Patterns of libraries whose version matters to its data."""
    probe: Mapping[str, Any] = field(default_factory=dict)
    """A kind of probe with its fields."""
    timeouts: Mapping[str, str] = field(default_factory=dict)
    validate: tuple[str, ...] = ()
    """Checks its configuration, once configurations are brought to hosts."""
    replicates: str = ""
    """How it copies its data by itself."""
    note: str = ""


@dataclass(frozen=True)
class Baseline:
    """What every program reads: never a need by itself."""

    paths: tuple[str, ...] = ()
    units: tuple[str, ...] = ()


def recipes_of(raw: Sequence[Mapping[str, Any]]) -> tuple[Recipe, ...]:
    """Of the data file, held against the fields above. Raises TypeError."""
    return tuple(_recipe(one) for one in raw)


def _recipe(raw: Mapping[str, Any]) -> Recipe:
    fields: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in raw.items()}
    return Recipe(**fields)


def recipe_for(executables: Sequence[str], recipes: Sequence[Recipe]) -> Recipe:
    """Of the programs that run; one that knows nothing, where there is none."""
    for recipe in recipes:
        if any(fnmatch.fnmatchcase(path, glob) for path in executables for glob in recipe.executables):
            return recipe
    return Recipe()
