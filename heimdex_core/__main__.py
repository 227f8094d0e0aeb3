"""`python -m heimdex_core ...`"""

import sys

from heimdex_core.cli.main import main

sys.exit(main())
