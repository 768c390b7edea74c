"""`make mutants`."""

import sys

from backstay_dev.mutants.command import main

sys.exit(main())
