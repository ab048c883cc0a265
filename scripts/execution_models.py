"""Do the same work in every execution model, and show what each makes of waiting and of computing.

The parts are in ``scripts/models/``. Nothing is imported here before it is known that this is the main program:
worker processes that are started by spawn read this file again.
"""

from __future__ import annotations

if __name__ == "__main__":
    import sys

    from scripts.models.command import main

    sys.exit(main())
