"""Plugins for the command line to find."""

from tests.registry.distributions import GOOD_KIND

CONFIG = """\
providers:
  up: {kind: echo, settings: {api_key: "${UP_KEY:-}"}}
  own: {kind: heavy}
models:
  chat:
    targets: [{provider: up, model: big}, {provider: own, model: small}]
    aliases: [gpt]
    description: talks
  "wild-*": {targets: [{provider: own, model: "*"}]}
"""

WEIGHTS = """
from gateway.sdk import PullError, Weight

class Weights:
    def _weight(self, id, cache_dir):
        path = cache_dir / "fake" / id
        here = path if path.is_file() else None
        about, size, ram = f"about {id}", 1_500_000_000, 2_000_000_000
        return Weight(id, about, "MIT", size, ram, "0" * 64, id == "first", here)

    def listed(self, cache_dir):
        return [self._weight(id, cache_dir) for id in ("first", "second", "gone")]

    def needed(self, settings):
        return ["first"]

    def pull(self, id, cache_dir, progress):
        if id == "gone":
            raise PullError("the publisher does not answer: try again later")
        path = cache_dir / "fake" / id
        path.parent.mkdir(parents=True, exist_ok=True)
        progress(f"{id} from the publisher", 0, 4)
        path.write_text("data")
        progress(f"{id} from the publisher", 4, 4)
        return self._weight(id, cache_dir), ("a notice",)

"""

ECHO = GOOD_KIND
HEAVY = WEIGHTS + GOOD_KIND.replace(
    'missing=lambda settings: None if settings.api_key else "api_key is empty",',
    "weights=Weights(),",
)
