"""`python -m backstay_api.generate [--check]`: write every generated file, or say which are not as they would be."""

import sys

from backstay_api.generate.files import stale, write

if "--check" in sys.argv[1:]:
    wrong = stale()
    sys.exit(f"not as generated, run `python -m backstay_api.generate`: {', '.join(wrong)}" if wrong else 0)
for path in write():
    print(path)
