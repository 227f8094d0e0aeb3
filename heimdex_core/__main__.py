"""`python -m heimdex_core ...`"""

import sys

from heimdex_core.cli import main

sys.exit(main())
