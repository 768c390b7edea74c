"""What a change costs is counted in files that somebody has to edit by hand."""

from backstay_dev.touched import sorted_out


def test_generated_files_tests_and_documents_are_not_what_a_change_costs() -> None:
    paths = [
        "crds/hosts.yaml",
        "crds/backstay_api/objects/plain.py",
        "crds/backstay_api/objects/models/resources.py",
        "node-agent/backstay_agent/drivers/mount.py",
        "tests/unit/api/objects/test_plain.py",
        "docs/reference/hosts.md",
        "examples/mount.yaml",
    ]
    assert sorted_out(paths) == {
        "by hand": ["crds/backstay_api/objects/models/resources.py", "node-agent/backstay_agent/drivers/mount.py"],
        "generated": ["crds/backstay_api/objects/plain.py", "crds/hosts.yaml", "docs/reference/hosts.md"],
        "tests": ["tests/unit/api/objects/test_plain.py"],
        "other": ["examples/mount.yaml"],
    }
