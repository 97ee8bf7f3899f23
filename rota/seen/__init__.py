"""An application as somebody sees it who may see only some of its jobs and tenants (R62, T15, T25)."""
