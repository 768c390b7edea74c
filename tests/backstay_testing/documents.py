"""The documents of the repository, and where they are."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted(
    [
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "charts/backstay/README.md")),
        *(ROOT / "docs").rglob("*.md"),
    ]
)


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))
