"""What can be switched on in the stand-in: each makes rows of the matrix red."""

from typing import Literal

Defect = Literal[
    "stock_server",  # aiohttp's own runner: no deadline for heads, no cancelled handlers
    "no_failover",  # the first target is the only one
    "early_head",  # the head is sent before there is a first word
    "replays",  # a stream that breaks off is asked for again
    "done_always",  # `[DONE]` ends what broke off, too
    "trusts_200",  # whatever comes with 200 is an answer
    "no_idle",  # silence of an upstream has no end
    "passes_status",  # what an upstream answers is what the caller gets
    "leaks",  # an upstream's words about us are passed on
    "raw_errors",  # what goes wrong is a traceback and a 500
    "no_size_limit",  # bodies of any size are held, from upstreams and from callers
    "inflates",  # what is compressed is decompressed, however long it gets
    "retries_always",  # everything that fails is asked again, three times
    "no_breaker",  # a target that is down is asked for ever
    "reframes",  # pieces are text and lines wherever they were cut
    "forwards_headers",  # headers go through, both ways
    "buffer_all",  # the caller's pace is nobody's business
    "no_body_timeout",  # a body may take its time
    "counts_late",  # the limit is looked at, and counted later
    "leaks_slot",  # a caller that left keeps its place
    "trusts_forwarded",  # callers say who they are
    "obeys_body",  # the body says where the call, and our key, go
    "mixes",  # the next one gets what was left of the last one's answer
    "cuts_drain",  # told to stop it stops
    "drains_for_ever",  # told to stop it waits until all is over
    "no_pool",  # as many connections as there are callers
    "blocks",  # the loop waits while it thinks
    "counts_alone",  # each of several counts for itself
    "counts_by_wall",  # windows begin and end by the wall clock
    "compares_slowly",  # a key is compared with those that are known, letter by letter
    "tells_revoked",  # a key that was one is told from what never was
    "echoes_raw",  # words of the caller stand in the head of the answer, as they came
    "opens_paths",  # a prompt that is the path of a file is answered by the file
    "trusts_links",  # callers' links are opened, wherever they lead
    "follows_links",  # where a link leads is looked at, and not where that leads
    "shows_private",  # the feed has all that is generated
    "forges_events",  # what callers write stands in the feed's events as it came
    "waits_for_readers",  # a generation ends once every reader of the feed has it
    "acknowledges_early",  # rows of calls are written together, after their answers
    "forgets_rows",  # a row that cannot be written is let go
    "cuts_stalled",  # whoever is connected while the process stands still is cut
    "hoards",  # what was answered is kept for ever
]
