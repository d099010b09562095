"""The pages that say what this is: for people, for machines, for crawlers."""

import orjson
from aiohttp import web

from gateway import __version__
from gateway.web.banner import limits_in_words
from gateway.web.base import public_base
from gateway.web.openapi import document
from gateway.web.received import services_of, shared_headers
from gateway.web.table import table_of

_HTML = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>dynagate</title>
<style>
body{{font:16px/1.6 system-ui,sans-serif;max-width:46rem;margin:3rem auto;padding:0 1rem}}
code,pre{{font:14px/1.5 ui-monospace,monospace;background:#f4f4f4;border-radius:4px}}
code{{padding:.1em .3em}}pre{{padding:.8rem;overflow-x:auto}}
@media(prefers-color-scheme:dark){{body{{background:#181818;color:#ddd}}
code,pre{{background:#262626}}a{{color:#8bf}}}}
</style></head><body>
<h1>dynagate</h1>
<p>A self-hosted, DynaSpark-compatible AI gateway, version {version}. It answers here
{terms}.</p>
<pre>curl "{base}/api/generate_response?user_input=Hello"
curl "{base}/image/A%20serene%20forest" --output forest.jpg</pre>
<p>Any OpenAI client works with <code>base_url="{base}/v1"</code>.</p>
<p>Models: {models}.</p>
<p><a href="/openapi.json">openapi.json</a> · <a href="/llms.txt">llms.txt</a> ·
<a href="/v1/models">models</a> · <a href="/health">health</a></p>
</body></html>
"""

_LLMS = """# dynagate

> A self-hosted, DynaSpark-compatible AI gateway: text, pictures and sound by plain GET URLs and by
> OpenAI's API.

It answers {terms}; X-RateLimit-* headers say how many are left.

## Text by URL

- GET {base}/api/generate_response?user_input=Hello : the words, as text/plain
- GET {base}/api/text/What%20is%20AI : the same, the prompt in the path
- parameters: model, temperature (0-3), top_p (0-1), presence_penalty and frequency_penalty
  (-2 to 2), seed, system, json=true (one JSON object), stream=true (server-sent events),
  private=true
- GET {base}/api/text/models : the models as cards

## Pictures by URL

- GET {base}/image/A%20serene%20forest?width=1024&height=768 : the picture
- GET {base}/api/generate_image?user_input=A%20serene%20forest : {{"image_url": "..."}}
- parameters: model, width and height (64-2048), seed, nologo=true, wm, private=true, image (URLs to
  change)

## Sound by URL

- GET {base}/api/generate_response?user_input=Hello&model=openai-audio&voice=nova : audio/mpeg
- parameters: voice, speed (0.25-4), format (mp3, aac, flac, opus, wav, pcm), quality (standard, hd)

## Live feeds

- GET {base}/api/text/feed and {base}/api/image/feed : what others generate, as server-sent events,
  where the operator has them on; ?past_results=N replays; private=true keeps a call out

## OpenAI's API

- base_url {base}/v1 : chat/completions (streaming, tools, response_format), completions,
  embeddings, images/generations, images/edits, images/variations, audio/speech,
  audio/transcriptions, audio/translations, moderations, models

Models: {models}

Errors are JSON: {{"error": {{"message", "type", "code", "param", "details"}}}}.
"""

_ROBOTS = """User-agent: *
Disallow: /api/
Disallow: /text/
Disallow: /image/
Disallow: /prompt/
Disallow: /v1/
Disallow: /openai
Disallow: /anthropic/
"""


async def index(request: web.Request) -> web.Response:
    """`GET /`."""
    return _page(request, _HTML.format(**_facts(request)), "text/html; charset=utf-8")


async def llms(request: web.Request) -> web.Response:
    """`GET /llms.txt`."""
    return _page(request, _LLMS.format(**_facts(request)), "text/plain; charset=utf-8")


async def robots(request: web.Request) -> web.Response:
    """`GET /robots.txt`: generating paths are not for crawlers."""
    return _page(request, _ROBOTS, "text/plain; charset=utf-8")


async def openapi(request: web.Request) -> web.Response:
    """`GET /openapi.json`."""
    body = orjson.dumps(document(table_of(request), public_base(request)))
    return _page(request, body.decode(), "application/json")


def _facts(request: web.Request) -> dict[str, object]:
    services = services_of(request)
    terms = f"without a key: {limits_in_words(services.document.limits.anonymous)} for one address"
    if services.identifier.demands_key:
        terms = "callers with a key, sent as Authorization: Bearer"
    base = public_base(request)
    return {
        "base": base.replace("&", "").replace("<", "").replace('"', ""),
        "version": __version__,
        "terms": terms,
        "models": ", ".join(sorted(services.router.names)),
    }


def _page(request: web.Request, text: str, media_type: str) -> web.Response:
    headers = {**shared_headers(request), "Content-Type": media_type, "Cache-Control": "no-cache"}
    if media_type.startswith("text/html"):
        headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'"
    return web.Response(body=text.encode(), headers=headers)
