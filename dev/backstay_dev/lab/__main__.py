"""`make lab` and `backstay lab`: a control plane and hosts of your own, kept running until Ctrl-C."""

import argparse
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Final

from backstay_dev.lab import console, prerequisites
from backstay_dev.lab.lab import Lab, sweep
from backstay_dev.lab.product import Product
from backstay_dev.lab.services import install_web
from backstay_dev.lab.shell import EXIT_CANNOT, REPOSITORY, LabError

# Where `backstay` is, beside the Python that runs this.
_PROGRAMS: Final = Path(sys.executable).parent


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Exit code 2: one sentence says what is missing."""
    options = _options(arguments)
    # Also where the shell that started us in the background has switched Ctrl-C off.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _interrupt)
    try:
        if options.sweep:
            for lab_id in sweep():
                print(f"removed what the dead lab {lab_id} left")
            return 0
        prerequisites.install(_tell)
        _keep(options)
    except LabError as error:
        _tell(str(error))
        return EXIT_CANNOT
    except KeyboardInterrupt:
        _tell("the lab is gone")
    return 0


def _keep(options: argparse.Namespace) -> None:
    with Lab(options.hosts, progress=_tell) as lab:
        if not options.bare:
            _tell("installing the chart, enrolling the hosts, starting operator, fencer and agents")
            product = Product(lab)
            product.install()
            product.enrol()
            for host in lab.hosts.values():
                install_web(host)
            product.start()
            product.wait_ready()
        print(_lines_to_paste(lab), flush=True)
        console.serve(lab, sys.stdin, sys.stdout)
        threading.Event().wait()  # nobody types here: it was started in the background


def _lines_to_paste(lab: Lab) -> str:
    hosts = ", ".join(f"{host.name} ({host.address})" for host in lab.hosts.values())
    return f"""
Lab {lab.id}: {hosts}. In another terminal:

  export KUBECONFIG={lab.plane.admin_kubeconfig} PATH={lab.assets_path}:{_PROGRAMS}:$PATH
  kubectl apply -f {REPOSITORY}/examples/web.yaml
  kubectl get hasvc -w
  backstay status

A client in the lab's network:  ip netns exec {lab.network.namespace} curl -s http://192.0.2.100/
A host's insides:               ls {lab.state}/hosts/n1/root
Logs of all processes:          {lab.state}/logs

Here you can do things to the machines (docs/tutorial.md shows a few):
{console.HELP}

Ctrl-C takes everything away again."""


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="backstay lab", description=__doc__)
    parser.add_argument("--hosts", type=int, default=3, help="how many (default: %(default)s)")
    parser.add_argument("--bare", action="store_true", help="without the product: only control plane and hosts")
    parser.add_argument("--sweep", action="store_true", help="only remove what labs that were killed left behind")
    return parser.parse_args(arguments)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
