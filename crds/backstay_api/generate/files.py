"""Which generated files there are, and whether those in the repository are as they would be written now."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from backstay_api.generate import chart, reference
from backstay_api.generate.definitions import definition_yaml
from backstay_api.generate.plain_code import plain_module
from backstay_api.objects.models import ALL_OBJECTS
from backstay_api.objects.models.host import FORBIDDEN_PARAMETER

REPOSITORY = Path(__file__).resolve().parents[3]
CHART = "charts/backstay"


def generated() -> Mapping[str, str]:
    """Every generated file: its path in the repository, and its content."""
    definitions = {f"crds/{kind.plural}.yaml": definition_yaml(kind) for kind in ALL_OBJECTS}
    pages = {f"docs/reference/{kind.plural}.md": reference.page(kind) for kind in ALL_OBJECTS}
    pages["docs/reference/README.md"] = reference.index(ALL_OBJECTS)
    # The chart cannot read outside its own folder, so it has copies.
    copies = {f"{CHART}/files/crds/{Path(path).name}": content for path, content in definitions.items()}
    values = (REPOSITORY / CHART / "values.yaml").read_text(encoding="utf-8")
    head = (REPOSITORY / CHART / "Chart.yaml").read_text(encoding="utf-8")
    of_chart = {
        f"{CHART}/Chart.yaml": chart.with_version(head),
        f"{CHART}/files/rbac.yaml": chart.rules_file(),
        f"{CHART}/files/forbidden-parameter.txt": FORBIDDEN_PARAMETER + "\n",
        f"{CHART}/README.md": chart.readme(values),
    }
    return {"crds/backstay_api/objects/plain.py": plain_module(), **definitions, **copies, **of_chart, **pages}


def write(root: Path = REPOSITORY) -> list[str]:
    """Write what is not so yet; return those paths."""
    changed = stale(root)
    for path, content in generated().items():
        if path in changed:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(content, encoding="utf-8")
    return changed


def stale(root: Path = REPOSITORY) -> list[str]:
    """Paths whose committed content is not what would be written."""
    return [path for path, content in generated().items() if _present(root / path) != content]


def _present(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None
