"""How far costs may lie apart: by itself, for the configuration needs it and nothing else of costs."""

import msgspec


class CostTolerance(msgspec.Struct, frozen=True, kw_only=True):
    """How far two sums of costs may lie apart.

    ``relative`` is of the larger sum; the others are for each row in either sum, as the wire rounds.
    """

    relative: float = 1e-6
    per_allocation: float = 5e-6
    per_asset: float = 1e-6

    def allowed(
        self, expected: float, actual: float, *, allocations: int = 0, assets: int = 0, rounding: float = 0.0
    ) -> float:
        """The largest difference that is none, between sums of so many rows.

        ``rounding`` is what the wire alone may have made of it (:func:`wire_rounding`): where the rows have
        many rounded numbers each, that is more than ``per_allocation`` and ``per_asset`` grant.
        """
        by_row = self.per_allocation * allocations + self.per_asset * assets
        return self.relative * max(abs(expected), abs(actual)) + max(by_row, rounding)
