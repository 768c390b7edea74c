"""What of an agent's parameters can be changed while it runs, by its metadata."""

import pytest

from backstay_agent.drivers.ocf import metadata
from backstay_agent.drivers.ocf.metadata import Metadata

RELOADS = b"""<resource-agent name="x"><parameters>
<parameter name="device" unique="1"/>
<parameter name="mode" reloadable="1"/>
<parameter name="level"/>
</parameters><actions><action name="start"/><action name="reload-agent" timeout="7s"/></actions></resource-agent>"""


def known(xml: bytes) -> Metadata:
    found = metadata.read(xml)
    assert isinstance(found, Metadata), found
    return found


@pytest.mark.parametrize(
    ("xml", "names"),
    [
        pytest.param(RELOADS, {"mode"}, id="as Pacemaker: what is reloadable, if it has reload-agent"),
        pytest.param(RELOADS.replace(b"reload-agent", b"stop"), set(), id="no such operation"),
        pytest.param(RELOADS.replace(b'"reload-agent"', b'"reload"'), set(), id="the old reload is of the service"),
        pytest.param(RELOADS.replace(b' reloadable="1"', b' reloadable="0"'), set(), id="nothing is"),
        pytest.param(
            RELOADS.replace(b'unique="1"', b'unique="1" reloadable="1"'), {"mode"}, id="what tells them apart"
        ),
    ],
)
def test_what_an_agent_can_reload(xml: bytes, names: set[str]) -> None:
    assert known(xml).reloadable == names


def test_what_has_changed() -> None:
    assert metadata.changed({"a": "1", "b": "1", "c": "1"}, {"a": "1", "b": "2", "d": "1"}) == {"b", "c", "d"}
