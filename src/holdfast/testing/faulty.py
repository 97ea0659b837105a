"""Wrappers around any driver, to see how what is above it behaves: failing, pretending, forbidding, telling."""

from holdfast.drivers.wrappers import Call, Died, DryRun, Faulty, Moment, ReadOnly, Traced

__all__ = ["Call", "Died", "DryRun", "Faulty", "Moment", "ReadOnly", "Traced"]
