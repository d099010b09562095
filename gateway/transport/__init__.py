"""The outgoing HTTP behind `Deps.http` and, guarded, `Deps.fetch`."""
