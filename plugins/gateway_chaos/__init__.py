"""Failures, delays, streams and tool calls on demand: `kind: chaos`; its words: docs/chaos.md."""

from gateway_chaos.provider import Chaos, ChaosSettings, connect, gateway_provider_kinds

__all__ = ["Chaos", "ChaosSettings", "connect", "gateway_provider_kinds"]
