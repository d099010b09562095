"""What the server does at once: scripts in Lua, which nobody else's commands can come between.

Times are the server's own, in milliseconds: the processes' clocks need not agree. A window is a
hash of what is `used` and when it `ends`; the calls in flight of one caller are a sorted set of
leases by the time at which they expire. Both go by themselves once they are over. A cache has an
index, its entries by the time at which they came, and the `sizes` of them, `""` being the sum.
"""

import hashlib
from typing import Final, NamedTuple


class Script(NamedTuple):
    """A script and the name that the server has for it."""

    text: str
    sha: str


def _script(text: str) -> Script:
    # The server names scripts by it; nothing is kept safe by this hash.
    return Script(text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())


_NOW = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
"""

TAKE: Final = _script(
    _NOW
    + """
-- KEYS: the leases, then a window for each share. ARGV: most leases, milliseconds that one lives,
-- this one's name, then of each share its amount, its limit, the milliseconds that a window lasts.
-- Returns the number of the share that was too large (0: admitted, -1: the places are taken), now,
-- and of each window what is used and when it ends, 0 if none runs.
local shares = #KEYS - 1
local refused = 0
local reply = {0, now}
for i = 1, shares do
  local window = redis.call('HMGET', KEYS[i + 1], 'used', 'ends')
  local used, ends = tonumber(window[1] or 0), tonumber(window[2] or 0)
  if ends <= now then used, ends = 0, 0 end
  if refused == 0 and used + tonumber(ARGV[i * 3 + 1]) > tonumber(ARGV[i * 3 + 2]) then
    refused = i
  end
  reply[i * 2 + 1], reply[i * 2 + 2] = used, ends
end
if refused == 0 and redis.call('ZCOUNT', KEYS[1], now + 1, '+inf') >= tonumber(ARGV[1]) then
  refused = -1
end
reply[1] = refused
if refused ~= 0 then return reply end
-- The first write is one that a full server refuses: once something is written, it refuses none.
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[3])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
redis.call('PEXPIRE', KEYS[1], ARGV[2])
for i = 1, shares do
  local key, amount = KEYS[i + 1], ARGV[i * 3 + 1]
  if reply[i * 2 + 2] == 0 then
    local ends = now + ARGV[i * 3 + 3]
    redis.call('HSET', key, 'used', amount, 'ends', string.format('%.0f', ends))
    redis.call('PEXPIRE', key, ARGV[i * 3 + 3])
    reply[i * 2 + 1], reply[i * 2 + 2] = tonumber(amount), ends
  else
    reply[i * 2 + 1] = redis.call('HINCRBY', key, 'used', amount)
  end
end
return reply
"""
)

LOOK: Final = _script(
    _NOW
    + """
-- KEYS: the leases, then windows. Returns now, how many leases live, and of each window what is
-- used and when it ends, 0 if none runs.
local reply = {now, redis.call('ZCOUNT', KEYS[1], now + 1, '+inf')}
for i = 2, #KEYS do
  local window = redis.call('HMGET', KEYS[i], 'used', 'ends')
  local used, ends = tonumber(window[1] or 0), tonumber(window[2] or 0)
  if ends <= now then used, ends = 0, 0 end
  reply[i * 2 - 1], reply[i * 2] = used, ends
end
return reply
"""
)

SETTLE: Final = _script("""
-- KEYS: a window. ARGV: how many more or fewer are used of it, and when the one that is meant ends.
if redis.call('HGET', KEYS[1], 'ends') ~= ARGV[2] then return 0 end
local used = redis.call('HINCRBY', KEYS[1], 'used', ARGV[1])
if used < 0 then redis.call('HSET', KEYS[1], 'used', 0) end
return 1
""")

RENEW: Final = _script(
    _NOW
    + """
-- KEYS: the leases of one caller. ARGV: milliseconds that they live on, and their names. One that
-- had expired, or that a server lost which began anew, is there again.
for i = 2, #ARGV do redis.call('ZADD', KEYS[1], now + ARGV[1], ARGV[i]) end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return 1
"""
)

KEEP: Final = _script(
    _NOW
    + """
-- KEYS: the index of a cache, the sizes of its entries, an entry. ARGV: the entry's name, its
-- bytes, milliseconds that it is kept (0: it is dropped), how many bytes all may have, what each
-- takes besides its own, milliseconds that the index lives, 1 if the entry is only for who finds
-- none there, and how the keys of entries begin. Returns what was there for such a one, else
-- nothing.
local name, data, keep = ARGV[1], ARGV[2], tonumber(ARGV[3])
local most, size = tonumber(ARGV[4]), #ARGV[2] + tonumber(ARGV[5])
if ARGV[7] == '1' then
  local found = redis.call('GET', KEYS[3])
  if found then return found end
end
local function forget(one)
  redis.call('HINCRBY', KEYS[2], '', -(tonumber(redis.call('HGET', KEYS[2], one)) or 0))
  redis.call('HDEL', KEYS[2], one)
  redis.call('ZREM', KEYS[1], one)
  redis.call('DEL', ARGV[8] .. one)
end
forget(name)
if keep <= 0 or size > most then return false end
redis.call('SET', KEYS[3], data, 'PX', keep)
redis.call('ZADD', KEYS[1], now, name)
redis.call('HSET', KEYS[2], name, size)
local total = redis.call('HINCRBY', KEYS[2], '', size)
redis.call('PEXPIRE', KEYS[1], ARGV[6])
redis.call('PEXPIRE', KEYS[2], ARGV[6])
-- The oldest: those that have ended by themselves, a few at a time, and as many as need to go.
for looked = 1, 1000 do
  local two = redis.call('ZRANGE', KEYS[1], 0, 1)
  local oldest = two[1] == name and two[2] or two[1]
  if not oldest or oldest == name then break end
  if total <= most and (looked > 10 or redis.call('EXISTS', ARGV[8] .. oldest) == 1) then break end
  forget(oldest)
  total = tonumber(redis.call('HGET', KEYS[2], ''))
end
return false
"""
)

ALL: Final = (TAKE, LOOK, SETTLE, RENEW)
