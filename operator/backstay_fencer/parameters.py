"""What a fence agent may be told: names from its own metadata, that name data; and how it is given the password.

A Host is written by people who may read none of the fencing Secrets. So nothing that they write may run a program here, name
a file, or show a password. The schema refuses what is known to do so; here stands what is known to be harmless.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from backstay_api.objects.models.host import FenceDevice, forbidden_parameter


def names(text: str) -> frozenset[str]:
    """Names, as they stand in a table."""
    return frozenset(text.split())


# A value of these kinds says nothing but itself, whatever the parameter is for.
_PLAIN_TYPES: Final = frozenset({"boolean", "integer", "second", "select"})

# Parameters of kind "string" in Debian's agents that were looked at: addresses, names of things on the other side, numbers.
_PLAIN: Final = names(
    """
    api_type api_version apiversion auth_url cipher cloud community crn email filter hidden_page instance ip ipaddr
    ipmitool_timeout ipport key limit login managed namespace node_name nodename page plug plug_separator plugzonemap
    port project project_domain_name project_name proxy proxyhost pve_node ram_role redfish_uri region ribcl_version
    separator serial_port session_url suborg switch systems_uri target tenant_name timeout user_domain_name username
    uuid vmtype vmware_datacenter vmware_type zone
    """
)

# Agents that hand the password to a program of their own, as an argument or in the environment (SNMP tools, amttool, …).
SHOWS_PASSWORD: Final = names(
    """
    fence_amt fence_apc_snmp fence_eaton_snmp fence_emerson fence_ibmblade fence_intelmodular fence_ipdu fence_ironic
    fence_lindypdu fence_tripplite_snmp fence_vmware
    """
)
# Agents of Debian 12 that were looked at: the password goes to the device and to nobody else.
KEEPS_PASSWORD: Final = names(
    """
    fence_aliyun fence_alom fence_apc fence_aws fence_azure_arm fence_bladecenter fence_cdu fence_cisco_ucs
    fence_cyberpower_ssh fence_docker fence_drac fence_drac5 fence_ecloud fence_eps fence_gce fence_hds_cb fence_hpblade
    fence_ibm_powervs fence_ibm_vpc fence_ibmz fence_ilo fence_ilo2 fence_ilo3_ssh fence_ilo4_ssh fence_ilo5_ssh
    fence_ilo_moonshot fence_ilo_mp fence_ilo_ssh fence_kubevirt fence_ldom fence_lpar fence_netio fence_openstack
    fence_ovh fence_powerman fence_pve fence_raritan fence_raritan_px3 fence_rcd_serial fence_redfish fence_rhevm
    fence_rsa fence_rsb fence_skalar fence_vbox fence_virsh fence_vmware_rest fence_vmware_soap fence_vmware_vcloud
    fence_wti fence_xenapi fence_zvmip
    """
)
# Agents that drive ipmitool, which can read the password from a file: they are never told it (`ipmi_options`).
IPMITOOL: Final = names("fence_idrac fence_ilo3 fence_ilo4 fence_ilo5 fence_imm fence_ipmilan fence_ipmilanplus")
# In a Secret these words stand where they belong.
_CREDENTIAL: Final = re.compile("passw(or)?d|secret")
# What ipmitool takes instead of a password, and must not be told by an argument either.
_KG: Final = "hexadecimal_kg"


@dataclass(frozen=True)
class Metadata:
    """What an agent says of itself."""

    parameters: Mapping[str, str]
    """Kind of value (string, boolean, …) by name, with `_` for `-`."""

    @property
    def usable(self) -> list[str]:
        """Names that a device may carry."""
        return sorted(name for name, type_ in self.parameters.items() if _is_plain(name, type_))


def read_metadata(agent: str, output: str) -> Metadata | str:
    """The answer to `fence_x -o metadata`, or a sentence if it is none."""
    begin = output.find("<resource-agent")
    try:
        root = ElementTree.fromstring(output[begin : output.rindex(">") + 1] if begin >= 0 else "")
    except (ElementTree.ParseError, ValueError):
        last = output.strip().splitlines()[-1:] or ["it said nothing"]
        return f"{agent} could not tell which parameters it takes ({last[0][:200]}), so it is told none"
    found = {}
    for parameter in root.iter("parameter"):
        content = parameter.find("content")
        found[plain(parameter.get("name", ""))] = content.get("type", "string") if content is not None else "string"
    return Metadata(found)


def refusal(device: FenceDevice, secret: Mapping[str, str], metadata: Metadata) -> str:
    """Why this device's agent is not run as it is described, in a sentence; empty if it may be."""
    for key in device.parameters or {}:
        if plain(key) not in metadata.parameters:
            return f"{device.agent} has no parameter {key}; it takes {', '.join(metadata.usable)}"
        if not _is_plain(plain(key), metadata.parameters[plain(key)]):
            return f"{device.agent} may not be given {key}; it may be given {', '.join(metadata.usable)}"
    for key in secret:
        if forbidden_parameter(_CREDENTIAL.sub("", plain(key))):
            return f"the Secret of {device.name} may not carry {key}: only user names, passwords and keys"
    return shows_password(device, secret)


def merged(device: FenceDevice, secret: Mapping[str, str]) -> dict[str, str]:
    """What Host and Secret say together, by the names that agents read. The Secret has the last word."""
    return {plain(key): value for key, value in (device.parameters or {}).items()} | dict(secret)


def shows_password(device: FenceDevice, secret: Mapping[str, str]) -> str:
    """Why the password would be seen by others, in a sentence; empty if it would not."""
    if device.allow_password_in_argv or not secret:
        return ""
    to_all = "to whoever can list processes where the fencer runs"
    if device.agent in SHOWS_PASSWORD:
        return f"{device.agent} shows its password {to_all}: use another agent, or set allowPasswordInArgv: true"
    if device.agent in IPMITOOL:
        shown = f"{device.agent} shows {_KG} {to_all}: leave it out, or set allowPasswordInArgv: true"
        return shown if _KG in map(plain, secret) else ""
    if device.agent not in KEEPS_PASSWORD:
        return f"nobody has looked whether {device.agent} shows its password {to_all}: look, and set allowPasswordInArgv: true"
    return ""


def options(device: FenceDevice, secret: Mapping[str, str], *, password_file: str) -> dict[str, str]:
    """Everything but the action that the agent is told on stdin.

    fence_ipmilan pastes a password into ipmitool's arguments. It is told none; what it pastes behind its own `-N` tells
    ipmitool where to read it. Should a version of it quote that one day, ipmitool fails and reads are "unknown".
    """
    both = merged(device, secret)
    if device.agent not in IPMITOOL or not password_file:
        return both
    both = {key: value for key, value in both.items() if key not in ("password", "passwd")}
    both["ipmitool_timeout"] = f"{both.get('ipmitool_timeout', '2')} -f {password_file}"
    return both


def plain(key: str) -> str:
    """The name as agents read it."""
    return key.lower().replace("-", "_")


def _is_plain(name: str, type_: str) -> bool:
    return not forbidden_parameter(name) and (type_ in _PLAIN_TYPES or name in _PLAIN)
