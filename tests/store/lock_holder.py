"""Another process that has a transaction open: python -m tests.store.lock_holder LIBRARY.

Inside the transaction it sets the preference language to "ko", prints "held" and waits for a line on its standard
input; then it commits, prints "committed" and ends.
"""

from __future__ import annotations

import sys

from heimdex_core.store import Store, users


def main() -> None:
    store = Store.open(sys.argv[1])
    with store.catalog.transaction() as transaction:
        users.set_preference(transaction, "local", "language", "ko")
        print("held", flush=True)
        sys.stdin.readline()
    print("committed", flush=True)


if __name__ == "__main__":
    main()
