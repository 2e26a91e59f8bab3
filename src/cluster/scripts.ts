/** Windows longer than this are not paced: what is left of them may be used at once. */
const PACED_WINDOW_MAX_MS = 3_600_000;
/** In how many parts a long window slides. */
const SLOTS = 60;
const KEPT_MIN_MS = 3_600_000;
const TOLD_KEPT_MS = 86_400_000;
const TOLD_MAX = 256;

// The server's own clock, so that no process's clock matters.
const NOW = `
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local function text(number) return string.format('%.17g', number) end
`;

/**
 * One round trip of one process for one key: settles what it used, gives back what it did not, and grants units of all
 * limits of the key together. One key: a hash. ARGV: the request as JSON, the burst in milliseconds, the channel, the
 * key as processes name it.
 *
 * The level of a paced limit is a GCRA's (ITU-T I.371), in units and as of the time in `at`: it falls by the limit per
 * window, and a unit may be used as soon as those before it leave the burst room. Units beyond that are granted too,
 * each with its time, so that nobody needs to ask again: the level is then above the burst. What fell off an empty
 * level was idle: it covers once what a process has used while it was away, if it flew then. While there was no key, all
 * was idle.
 *
 * A long window is counted in slots, and grants what is left, or says when there will be enough.
 *
 * `birth` names this life of the key. Who has known another one, because the key was lost, adds the units that it
 * holds: a lost key is a full bucket minus those, and what it gives back is not of this life. Others are told of a new
 * life at once, so that they do so, too.
 */
export const DRAW = `${NOW}
local key, request, burstMs = KEYS[1], cjson.decode(ARGV[1]), tonumber(ARGV[2])
local kept, state, changed = redis.call('HGETALL', key), {}, {}
for i = 1, #kept, 2 do state[kept[i]] = kept[i + 1] end
local function put(field, value)
  changed[#changed + 1] = field
  changed[#changed + 1] = value
end

local birth = state.birth
if not birth then
  birth = time[1] .. '-' .. time[2]
  put('birth', birth)
  if request.birth ~= '' then redis.call('PUBLISH', ARGV[3], cjson.encode({ key = ARGV[4], birth = birth })) end
end
local known = request.birth == birth
local bornSeconds, bornMicros = string.match(birth, '(%d+)-(%d+)')
local livedMs = now - bornSeconds * 1000 - bornMicros / 1000
local limits = state.limits
if request.limits ~= '' and (request.told or not limits) and request.limits ~= limits then
  limits = request.limits
  put('limits', limits)
end
local elapsed = math.max(0, now - tonumber(state.at or now))
put('at', text(now))

local function paced(name, limit, windowMs, asked, added)
  local perMs = limit / windowMs
  local level = tonumber(state['level:' .. name] or 0) - elapsed * perMs
  local flown = tonumber(state['flown:' .. name] or 0)
  if level < 0 then flown, level = flown - level, 0 end
  local debt, debtMs = asked.debt or 0, asked.debtMs or 0
  local spare = known and flown - (asked.flown or 0) or flown + perMs * math.max(0, debtMs - livedMs)
  local covered = math.max(0, math.min(debt, debtMs * perMs, spare))
  level = math.max(0, level + added + math.min(debt - covered, limit))
  flown = flown - covered
  put('flown:' .. name, text(flown))
  local burst = math.max(1, perMs * burstMs)
  return {
    waitMs = 0,
    commit = function(granting)
      local amount = granting and asked.ask or 0
      put('level:' .. name, text(level + amount))
      return { amount = amount, fromMs = (level - burst) / perMs, perMs = perMs, flown = flown }
    end,
  }
end

local function slotted(name, limit, windowMs, asked, added)
  local slotMs = windowMs / ${SLOTS}
  local current, taken, slots = math.floor(now / slotMs), 0, {}
  for slot, amount in pairs(cjson.decode(state['slots:' .. name] or '{}')) do
    if tonumber(slot) >= current - ${SLOTS} then
      slots[tonumber(slot)] = amount
      taken = taken + amount
    end
  end
  added = added + (asked.debt or 0)
  taken = math.max(0, taken + added)
  local back = -added
  if added > 0 then slots[current] = (slots[current] or 0) + added end
  for slot = current, current - ${SLOTS}, -1 do
    if back <= 0 then break end
    local removed = math.min(back, slots[slot] or 0)
    if removed > 0 then slots[slot], back = slots[slot] - removed, back - removed end
  end
  local ask = asked.ask or 0
  local need = math.min(asked.need or 0, limit)
  local rest = limit - taken
  local grant = math.max(0, math.min(ask, rest))
  local waitMs = 0
  if ask > 0 and (grant < need or grant < 1) then
    local lacking = math.max(need, 1) - rest
    for slot = current - ${SLOTS}, current do
      lacking = lacking - (slots[slot] or 0)
      waitMs = (slot + ${SLOTS + 1}) * slotMs - now
      if lacking <= 0 then break end
    end
  end
  return {
    waitMs = waitMs,
    commit = function(granting)
      if not granting then grant = 0 end
      slots[current] = (slots[current] or 0) + grant
      local written = {}
      for slot, amount in pairs(slots) do
        if amount > 0 then written[string.format('%.0f', slot)] = amount end
      end
      put('slots:' .. name, cjson.encode(written))
      return { amount = grant, fromMs = 0, perMs = 0, flown = 0 }
    end,
  }
end

local counters, waitMs, longest = {}, 0, ${KEPT_MIN_MS}
for unit, window, most in string.gmatch(limits or '', '(%a+)/([^=;]+)=([^;]+)') do
  local name, limit, windowMs = unit .. '/' .. window, tonumber(most), tonumber(window)
  local asked = request.units[name] or {}
  local added = known and (asked.change or 0) or math.max(0, asked.change or 0) + (asked.held or 0)
  local count = windowMs <= ${PACED_WINDOW_MAX_MS} and paced or slotted
  counters[name] = count(name, limit, windowMs, asked, added)
  waitMs = math.max(waitMs, counters[name].waitMs)
  longest = math.max(longest, 2 * windowMs)
end
local reply = { birth = birth, limits = limits or '', waitMs = waitMs, grants = {} }
for name, counter in pairs(counters) do reply.grants[name] = counter.commit(waitMs == 0) end
redis.call('HSET', key, unpack(changed))
redis.call('PEXPIRE', key, string.format('%.0f', longest))
return cjson.encode(reply)`;

// What holds until a time would hold for too long with a server that has taken over and whose clock is behind.
const KEEP_UP = `${NOW}
local told, live = KEYS[1], KEYS[2]
local back = tonumber(redis.call('HGET', told, 'at') or now) - now
if back > 0 then
  for _, name in ipairs(redis.call('ZRANGE', live, 0, -1)) do redis.call('ZINCRBY', live, text(-back), name) end
  for _, field in ipairs(redis.call('HKEYS', told)) do
    if string.find(field, ' ') then redis.call('HSET', told, field, text(redis.call('HGET', told, field) - back)) end
  end
end
redis.call('HSET', told, 'at', text(now))
redis.call('PEXPIRE', told, ${TOLD_KEPT_MS})
local function eachNotice(visit)
  local all = redis.call('HGETALL', told)
  for i = 1, #all, 2 do
    if string.find(all[i], ' ') then visit(all[i], tonumber(all[i + 1]) - now) end
  end
end
`;

/**
 * One sign of life. Two keys: what is told; who lives, by when that ends. ARGV: name, milliseconds that it counts (0: it
 * leaves), the number of the last thing known, the channel, where all are told of another number of processes. Gives
 * how many live, as of when, the present number, and everything told that still holds if that is another one: field,
 * milliseconds left.
 */
export const HEARTBEAT = `${KEEP_UP}
local changed
if ARGV[2] == '0' then
  changed = redis.call('ZREM', live, ARGV[1])
else
  changed = redis.call('ZADD', live, text(now + ARGV[2]), ARGV[1])
  redis.call('PEXPIRE', live, ARGV[2])
end
changed = changed + redis.call('ZREMRANGEBYSCORE', live, '-inf', text(now))
local reply = { redis.call('ZCARD', live), text(now), redis.call('HGET', told, 'seq') or '0' }
if changed > 0 then redis.call('PUBLISH', ARGV[4], cjson.encode({ processes = reply[1], at = reply[2] })) end
if reply[3] == ARGV[3] then return reply end
eachNotice(function(field, leftMs)
  if leftMs <= 0 then return redis.call('HDEL', told, field) end
  reply[#reply + 1] = field
  reply[#reply + 1] = string.format('%.0f', math.ceil(leftMs))
end)
return reply`;

/**
 * Tells all processes something that holds for a time. Two keys, as above. ARGV: channel, name of who tells, field,
 * milliseconds (0: it no longer holds). What was told to hold for longer does.
 *
 * Numbers begin at the present time, so that those of a lost key come back to none.
 */
export const TELL = `${KEEP_UP}
local channel, origin, field, forMs = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local first = string.format('%.0f', now * 1000)
if redis.call('HSETNX', told, 'seq', first) == 0 then redis.call('HINCRBY', told, 'seq', 1) end
if forMs == 0 then
  redis.call('HDEL', told, field)
else
  redis.call('HSET', told, field, text(math.max(now + forMs, tonumber(redis.call('HGET', told, field) or 0))))
end
if redis.call('HLEN', told) > ${TOLD_MAX} then
  eachNotice(function(other, leftMs)
    if leftMs <= 0 then redis.call('HDEL', told, other) end
  end)
end
local seq = redis.call('HGET', told, 'seq')
redis.call('PUBLISH', channel, cjson.encode({ seq = seq, origin = origin, field = field, forMs = forMs }))
return seq`;
