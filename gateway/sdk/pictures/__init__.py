"""Pictures as pixels: strangers' files opened safely, and files written that say what they are.

For code that blocks, which is an engine's (`gateway.sdk.workshop`). Only these modules import
Pillow; `gateway.sdk` imports none of them.
"""
