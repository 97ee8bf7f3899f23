"""The seams: what a store, a tenant source and a channel of alerts must do."""

from rota.ports.alerts import AlertStore
from rota.ports.freshness import FreshnessStore
from rota.ports.notifier import Notifier
from rota.ports.other_driver import OtherDriver
from rota.ports.rollups import RollupStore
from rota.ports.store import Joins, Store
from rota.ports.tenants import TenantSource

__all__ = ["AlertStore", "OtherDriver", "FreshnessStore", "Joins", "Notifier", "RollupStore", "Store", "TenantSource"]
