"""The worlds of the API server's other tests are used here too."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent.parent))
