"""What one process of several is to do: the first that it hears of its supervisor."""

from dataclasses import dataclass

from gateway.config.load import Loaded
from gateway.config.reload import Standing
from gateway.crew.post import Post


@dataclass(frozen=True, slots=True)
class Orders:
    """`loaded` is in force when the process starts, as the generation that `standing` says.

    `port` is where the workers listen.
    """

    loaded: Loaded
    standing: Standing
    post: Post
    port: int
