"""`backstay discover HOST UNIT`: a draft of a manifest, in which each line says why it is there; or what a manifest lacks (`--diff`)."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Final

import typer
import yaml

from backstay_api.objects.object_kinds import HA_SERVICES
from backstay_api.objects.survey import MOST_BYTES, Survey, UnreadableSurvey, parse_survey

from .drafting.comparison import COMMENT, Comparison, compared, told
from .drafting.draft import draft, flow, in_order, mark_of, resource_of
from .drafting.needs import Need
from .drafting.recipes import Baseline, Recipe, recipes_of
from .drafting.rules import needs_of
from .drafting.writing import Unwritable, added
from .session import FAILED, NOT_WELL, WELL, Session, Stop
from .surveying import survey_of

_DATA: Final = "backstay_cli.drafting"


async def discover(
    session: Session,
    place: Annotated[
        list[str] | None,
        typer.Argument(help="The host to ask, and the unit that does the work there.", metavar="[HOST UNIT]"),
    ] = None,
    from_: Annotated[
        str,
        typer.Option(
            "--from",
            help="Ask no host: what `backstay-agent survey UNIT` has written there; - is standard input.",
            metavar="FILE",
        ),
    ] = "",
    diff: Annotated[
        str, typer.Option(help="A manifest: say what is used and not declared there.", metavar="FILE")
    ] = "",
    write: Annotated[
        str, typer.Option(help="A manifest: add to it what is used and not declared there.", metavar="FILE")
    ] = "",
) -> int:
    """Find out what a service needs: a draft of its manifest, from what a host says that the unit uses."""
    survey = await _asked(session, place or [], from_)
    needs = needs_of(survey, recipes(), shipped_baseline())
    if diff and write:
        raise Stop("--diff says what --write would add: give one of them", 2)
    if diff or write:
        return _compare(session, survey, needs, diff or write, writes=bool(write))
    session.show(
        {
            "unit": survey.unit,
            "host": survey.host,
            "needs": [told(need) for need in in_order(needs) if not need.is_left_out],
        },
        lambda: typer.echo(draft(survey, needs, session.options.namespace or "default"), session.out.file, nl=False),
    )
    open_questions = sum(mark_of(need) == "DECIDE" for need in needs if not need.is_left_out)
    if open_questions:
        session.err.print(f"{open_questions} to DECIDE: only you can know", markup=False)
    return NOT_WELL if open_questions else WELL


async def _asked(session: Session, place: list[str], file: str) -> Survey:
    if file and place:
        raise Stop("--from says where the survey is: name no host beside it", 2)
    if file:
        return _survey(file)
    if len(place) != 2:
        raise Stop("name a host and the unit that does the work there, or a survey with --from", 2)
    return await survey_of(session, *place)


def _survey(file: str) -> Survey:
    try:
        if file == "-":
            text = sys.stdin.buffer.read(MOST_BYTES + 1).decode(errors="replace")
        else:
            with Path(file).open("rb") as opened:
                text = opened.read(MOST_BYTES + 1).decode(errors="replace")
        return parse_survey(text)
    except OSError as error:
        raise Stop(f"{file} cannot be read: {error.strerror}", FAILED) from error
    except UnreadableSurvey as error:
        raise Stop(f"{'standard input' if file == '-' else file} is no survey: {error}", FAILED) from error


def recipes() -> tuple[Recipe, ...]:
    """The data file of this release."""
    return recipes_of(yaml.safe_load((files(_DATA) / "recipes.yaml").read_text()))


def shipped_baseline() -> Baseline:
    """The data file of this release."""
    raw = yaml.safe_load((files(_DATA) / "baseline.yaml").read_text())
    return Baseline(tuple(raw["paths"]), tuple(raw["units"]))


# --- against a manifest ----------------------------------------------------------------------------------------------------


def _compare(session: Session, survey: Survey, needs: Iterable[Need], file: str, *, writes: bool) -> int:
    try:
        text = Path(file).read_text()
        resources = resources_of(text)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise Stop(f"{file} cannot be read as a manifest: {type(error).__name__}", FAILED) from error
    if resources is None:
        raise Stop(f"{file} holds no HAService with a list of resources", FAILED)
    found = compared(in_order(needs), resources, remarks_of(text))
    if writes and found.undeclared:
        _write(file, text, found)
    data = {"unit": survey.unit, "undeclared": [told(need) for need in found.undeclared], "unused": list(found.unused)}
    session.show(data, lambda: _print(session, survey, found, file, writes=writes))
    open_questions = any(mark_of(need) == "DECIDE" for need in found.undeclared)
    return NOT_WELL if (open_questions if writes else found.undeclared) else WELL


def _write(file: str, text: str, found: Comparison) -> None:
    """Whole or not at all: a manifest that is cut in the middle would be applied."""
    path = Path(file).resolve()
    beside = path.with_name(f".{path.name}.new")
    try:
        whole = added(text, found.undeclared)
        beside.write_text(whole)
        beside.chmod(path.stat().st_mode & 0o777)
        beside.replace(path)
    except Unwritable as error:
        raise Stop(f"{file} is left as it is: {error}; `--diff {file}` says what to add", FAILED) from error
    except OSError as error:
        raise Stop(f"{file} cannot be written: {error.strerror}", FAILED) from error


def resources_of(text: str) -> list[Mapping[str, Any]] | None:
    """Of the first HAService of a manifest; None if it holds none with a list. Raises yaml.YAMLError."""
    for document in yaml.safe_load_all(text):
        spec = document.get("spec") if isinstance(document, dict) and document.get("kind") == HA_SERVICES.kind else None
        if isinstance(spec, dict) and isinstance(spec.get("resources"), list):
            return [one for one in spec["resources"] if isinstance(one, dict)]
    return None


def remarks_of(text: str) -> list[Mapping[str, Any]]:
    """Resources in comments. One that somebody has edited so that it is no YAML any more stands for nothing."""
    found: list[Mapping[str, Any]] = []
    for line in COMMENT.findall(text):
        try:
            remark = yaml.safe_load(line)
        except yaml.YAMLError:
            continue
        found += [remark] if isinstance(remark, dict) else []
    return found


def _print(session: Session, survey: Survey, found: Comparison, file: str, *, writes: bool) -> None:
    said = "added" if writes else "undeclared"
    for need in found.undeclared:
        session.say(f"{said}: {need.kind} {flow(need.spec)}: {need.why}")
        session.say(f"  # {mark_of(need) or 'as a resource'}: {flow(resource_of(need, need.name))}")
    for unused in found.unused:
        session.say(f"not in use: {unused}")
    if not found.undeclared and not found.unused:
        session.say(f"{file} declares all that {survey.unit} was seen to use on {survey.host}")
