"""The table of paths. Fixed names stand before `{prompt}`, and what is not in the table is 404."""

from collections.abc import Iterable, Iterator

from aiohttp import web

from gateway.web import (
    feed_paths,
    handlers,
    health,
    images,
    media,
    models,
    openai_images,
    pages,
)
from gateway.web.table import TABLE, Path

_OPENAI_ROOTS = ("/v1", "/openai/v1", "/openai", "/api/openai/v1", "/api/openai")


def paths() -> Iterable[Path]:
    """Return every public path, in the order they are matched."""
    get, both = ("GET", "HEAD"), ("GET", "HEAD", "POST")
    yield Path(get, "/", pages.index, "What this is")
    yield Path(get, "/openapi.json", pages.openapi, "The schema of this API")
    yield Path(get, "/llms.txt", pages.llms, "What this is, for language models")
    yield Path(get, "/robots.txt", pages.robots, "What crawlers may read")
    for name in ("/health", "/health/liveness", "/healthz"):
        yield Path(get, name, health.health, "Whether the process answers")
    for name in ("/health/readiness", "/readyz"):
        yield Path(get, name, health.readiness, "Whether it takes calls; 503 while draining")
    for root in ("/api/image", "/image"):
        yield Path(get, f"{root}/models", models.image_models, "Picture models, by name")
    for root in ("/api/text", "/text"):
        yield Path(get, f"{root}/models", models.text_models, "Text models, as cards")
    for root in ("/api/text/feed", "/text/feed", "/feed/text", "/api/feed/text"):
        yield Path(get, root, feed_paths.text_feed, "Texts as they are generated", "Feed")
    for root in ("/api/image/feed", "/image/feed", "/feed/image", "/api/feed/image"):
        yield Path(get, root, feed_paths.image_feed, "Pictures as they are drawn", "Feed")
    yield Path(both, "/api/generate_response", handlers.generate_response, "Generate text", "Text")
    drawn = "/api/generate_image"
    yield Path(both, drawn, images.generate_image, "Draw, and say where the picture is", "Picture")
    yield from _openai()
    for root in ("/api/image", "/image", "/prompt"):
        path = f"{root}/{{prompt:(?s:.+)}}"
        yield Path(get, path, images.image_of_path, "Draw the path", "Picture")
    for root in ("/api/text", "/text"):
        path = f"{root}/{{prompt:(?s:.+)}}"  # Line breaks, too.
        yield Path(get, path, handlers.text_of_path, "Generate text for the path", "Text")


def _openai() -> Iterator[Path]:
    post, get = ("POST",), ("GET", "HEAD")
    for root in ("/api/openai", "/openai"):
        yield Path(post, root, handlers.chat_completions, "Chat completion", "Chat")
    for root in _OPENAI_ROOTS:
        chat = f"{root}/chat/completions"
        yield Path(post, chat, handlers.chat_completions, "Chat completion", "Chat")
        plain = f"{root}/completions"
        yield Path(post, plain, handlers.completions, "Text completion", "Completion")
        yield Path(post, f"{root}/embeddings", media.embeddings, "Embed texts", "Embedding")
        pictures = f"{root}/images"
        yield Path(
            post, f"{pictures}/generations", openai_images.generate, "Draw pictures", "Image"
        )
        yield Path(post, f"{pictures}/edits", openai_images.edit, "Change pictures")
        yield Path(post, f"{pictures}/variations", openai_images.vary, "Vary a picture")
        judge = f"{root}/moderations"
        yield Path(post, judge, media.moderations, "Judge texts", "Moderation")
        yield Path(post, f"{root}/audio/speech", media.speech, "Read text aloud", "Speech")
        heard, english = f"{root}/audio/transcriptions", f"{root}/audio/translations"
        yield Path(post, heard, media.transcriptions, "Write speech down")
        yield Path(post, english, media.translations, "Write speech down in English")
        yield Path(get, f"{root}/models", models.openai_models, "List the models")
        yield Path(get, f"{root}/models/{{id:.+}}", models.openai_model, "One model")


def add_routes(app: web.Application) -> None:
    """Register the table."""
    app[TABLE] = tuple(paths())
    for entry in app[TABLE]:
        for method in entry.methods:
            app.router.add_route(method, entry.path, entry.handler)
