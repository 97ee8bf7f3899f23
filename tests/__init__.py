"""Tests of Rota, by floor: core, contract, engine, executors, tenants, system, surfaces, house."""
