"""What is read of the kernel's pressure files, and what of files that are not there or say something else."""

from __future__ import annotations

from pathlib import Path

import pytest

from backstay_agent.drivers.tools import pressure

FULL = "full avg10=99.00 avg60=0.00 avg300=0.00 total=0\n"


@pytest.mark.parametrize(
    ("files", "found"),
    [
        pytest.param(
            {"cpu": "some avg10=63.25 avg60=7.00 avg300=1.00 total=9\n" + FULL},
            {"cpu": 63.25},
            id="the last ten seconds",
        ),
        pytest.param(
            {"io": "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n", "memory": FULL}, {"io": 0.0}, id="some"
        ),
        pytest.param({"cpu": "", "memory": "some avg10=much\n"}, {}, id="nothing that means anything"),
        pytest.param({}, {}, id="a kernel that does not say"),
    ],
)
def test_pressure(tmp_path: Path, files: dict[str, str], found: dict[str, float]) -> None:
    for kind, text in files.items():
        (tmp_path / kind).write_text(text)
        (tmp_path / f"{kind}.pressure").write_text(text)
    assert pressure.of_machine(tmp_path) == found
    assert pressure.of_group(tmp_path) == found
