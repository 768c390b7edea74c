"""An RPM from the same folder as the Debian package, with Debian's `rpmbuild` or any other."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from backstay_dev.lab.shell import call

from .debian import Description
from .trees import even_out
from .versions import Release

PROGRAM: Final = "rpmbuild"
# As they are: nothing is stripped, compiled or guessed from what is inside, and no clock and no host name gets in.
_AS_IT_IS: Final = {
    "__os_install_post": "%{nil}",
    "__brp_mangle_shebangs": "%{nil}",
    "_build_id_links": "none",
    "debug_package": "%{nil}",
    "_buildhost": "backstay",
    "use_source_date_epoch_as_buildtime": "1",
    "clamp_mtime_to_source_date_epoch": "1",
    "source_date_epoch_from_changelog": "0",
    "_binary_payload": "w6.xzdio",
}


def rpm(root: Path, description: Description, release: Release, out: Path) -> Path:
    """Make `<name>-<version>-1.noarch.rpm` in `out`. What is under `root` gets one look."""
    even_out(root, release)
    work = out / ".rpm"
    spec = work / f"{description.name}.spec"
    work.mkdir(parents=True)
    spec.write_text(_spec(root, description, release))
    defined = {
        **_AS_IT_IS,
        "_topdir": str(work),
        "_rpmdir": str(out),
        "_build_name_fmt": "%%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm",
    }
    options = [word for name, value in defined.items() for word in ("--define", f"{name} {value}")]
    environment = ("env", f"SOURCE_DATE_EPOCH={release.epoch_s}", f"PATH={os.environ['PATH']}:/usr/bin:/bin")
    call(*environment, PROGRAM, "-bb", "--quiet", "--target", "noarch", *options, spec, timeout_s=300)
    call("rm", "-rf", work)
    return out / f"{description.name}-{release.for_packages}-1.noarch.rpm"


def _spec(root: Path, description: Description, release: Release) -> str:
    scripts = "".join(f"\n%{name}\n{text}\n" for name, text in description.rpm_scripts.items())
    return f"""\
Name: {description.name}
Version: {release.for_packages}
Release: 1
Summary: {description.summary}
License: Apache-2.0
BuildArch: noarch
AutoReqProv: no
{"".join(f"Requires: {one}" + chr(10) for one in description.requires)}
%description
{description.summary}

%install
mkdir -p %{{buildroot}}
cp -a "{root}/." %{{buildroot}}/

%files
%defattr(-,root,root,-)
{_files(root)}
{scripts}"""


def _files(root: Path) -> str:
    """Every file, and of the folders only our own."""
    found = []
    for path in sorted(root.rglob("*")):
        inside = f"/{path.relative_to(root)}"
        if path.is_symlink() or not path.is_dir():
            found.append(inside)
        elif inside.startswith(("/usr/lib/backstay-", "/usr/share/doc/backstay-")):
            found.append(f"%dir {inside}")
    return "\n".join(found)
