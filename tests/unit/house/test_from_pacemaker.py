"""Who comes from Pacemaker finds every word of theirs on our page, be it that nothing answers to it."""

from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[3] / "docs" / "how-to" / "from-pacemaker.md").read_text()
META_ATTRIBUTES = """
priority critical target-role is-managed maintenance resource-stickiness requires migration-threshold failure-timeout multiple-active
allow-migrate allow-unhealthy-nodes container-attribute-target remote-node remote-addr remote-port remote-connect-timeout
remote-allow-migrate clone-max clone-min clone-node-max globally-unique interleave notify ordered promotable promoted-max
promoted-node-max master-max master-node-max provides container rsc_defaults
"""
OPERATIONS = """
id name interval timeout on-fail enabled record-pending role start-delay interval-origin description OCF_CHECK_LEVEL op_defaults
start stop monitor promote demote notify reload reload-agent migrate_to migrate_from validate-all meta-data
ignore block restart fence standby restart-container Started Stopped Promoted Unpromoted
"""
ALL = (*((word, "Meta-attributes") for word in META_ATTRIBUTES.split()),
       *((word, "Operation options") for word in OPERATIONS.split()))  # fmt: skip


@pytest.mark.parametrize(("word", "under"), ALL)
def test_every_word_of_pacemakers_has_a_row(word: str, under: str) -> None:
    table = PAGE.partition(f"## {under}\n")[2].partition("\n## ")[0]
    firsts = [line.split("|")[1] for line in table.splitlines() if line.startswith("|")]
    assert word in {each.strip() for first in firsts for each in first.replace("=", "`").split("`")}
