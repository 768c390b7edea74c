"""Services to try things with, put onto the hosts of a lab: they answer with the host's name, at once after their start."""

from typing import Final

from backstay_dev.lab.hosts import LabHost

# busybox answers 3 ms after its start: what a measurement shows is ours, not the service's.
WEB_UNIT: Final = """\
[Unit]
Description=Web server of the examples
[Service]
ExecStart=/bin/busybox httpd -f -p 80 -h /srv/www
"""


def install_web(host: LabHost, unit: str = "web.service") -> None:
    """The unit of examples/web.yaml; it answers with the host's name."""
    host.write_file("/srv/www/index.html", f"{host.name}\n")
    host.install_unit(unit, WEB_UNIT)


WEB_CONFIG: Final = "/etc/httpd.conf"


def configure_web(host: LabHost, *, missing_page: str = "missing.html") -> None:
    """The configuration of that server, which it reads when it starts: `missing_page` stands in its third line."""
    host.write_file(WEB_CONFIG, f"A:*\nI:index.html\nE404:/srv/www/{missing_page}\n")
