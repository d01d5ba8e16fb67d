"""Events → results. The only way that a result is made, for a live run as for one read from the store."""

from orchestration.ledger.ledger import Ledger

__all__ = ["Ledger"]
