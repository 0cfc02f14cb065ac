"""Holds what the assets cost against what the cloud provider billed for them."""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from auditsvc.audits._costs import compare, conclude, require
from auditsvc.audits._inputs import Settings
from auditsvc.audits._registry import Missing, Observation, audit
from auditsvc.core.cost_tolerance import CostTolerance
from auditsvc.core.costs import Asset, CloudCost, Costs, sum_totals

_RECONCILE = "reconcile the asset with its bill again: its adjustment is what the two differ by"
_NOT_BILLED = (
    "wait for the provider's bill, or find out under which provider id and category it has the asset"
)
_NO_ASSET = "find out which Kubernetes resource the provider bills for"

_Pair = tuple[str, str]


@audit("AuditAssetReconciliation", key="assetReconciliation", maps=("Results",))
def asset_reconciliation(
    costs: Costs, cloud_costs: tuple[CloudCost, ...], settings: Settings
) -> Iterator[Observation]:
    """Assets that the cloud provider bills for cost what it bills.

    ``Results[providerId][category]``: expected is the bill (amortized and net), actual the assets' cost.
    Assets without a provider id cannot be told apart on a bill, and are left out.
    """
    require(costs.assets, "assets", costs)
    require(cloud_costs, "cloud costs", costs)
    found = _observe(_assets_by_pair(costs.assets), _bills_by_pair(cloud_costs), settings.cost_tolerance)
    yield from conclude(
        found, costs, settings, nothing="no asset has a known bill of its provider id and category"
    )


def _observe(
    assets: Mapping[_Pair, list[Asset]], bills: Mapping[_Pair, list[CloudCost]], tolerance: CostTolerance
) -> Iterator[Observation]:
    for pair in sorted(assets.keys() & bills.keys()):
        yield from _compare(pair, bills[pair], assets[pair], tolerance)
    for pair in sorted(assets.keys() - bills.keys()):
        yield Missing("/".join(pair), "an asset without a bill", _NOT_BILLED)
    for pair in sorted(bills.keys() - assets.keys()):
        if any(bill.kubernetes > 0 for bill in bills[pair]):
            yield Missing("/".join(pair), "a bill for Kubernetes without an asset", _NO_ASSET)


def _compare(
    pair: _Pair, bills: Sequence[CloudCost], assets: Sequence[Asset], tolerance: CostTolerance
) -> Iterator[Observation]:
    sides = math.fsum(bill.cost for bill in bills), sum_totals(assets)
    if math.isnan(sides[0]):
        yield Missing("/".join(pair), "the bill has no amortized net cost", _NOT_BILLED)
    yield from compare(("Results", *pair), sides, tolerance, _RECONCILE, rows=assets)


def _assets_by_pair(assets: Sequence[Asset]) -> Mapping[_Pair, list[Asset]]:
    pairs: defaultdict[_Pair, list[Asset]] = defaultdict(list)
    for asset in assets:
        if asset.provider_id:
            pairs[asset.provider_id, asset.category].append(asset)
    return pairs


def _bills_by_pair(bills: Sequence[CloudCost]) -> Mapping[_Pair, list[CloudCost]]:
    pairs: defaultdict[_Pair, list[CloudCost]] = defaultdict(list)
    for bill in bills:
        pairs[bill.provider_id, bill.category].append(bill)
    return pairs
