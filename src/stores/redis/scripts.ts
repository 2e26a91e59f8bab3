/** Most sweeps that are known by their patterns. */
const SWEEPS_MAX = 1000;
/** Most tags whose generations are kept apart. */
const TAGS_MAX = 100_000;

/**
 * Begins a namespace that has no marks, before anything else: so every script finds them whole.
 *
 * Generations of a new namespace begin at 0. Those of one that has lost its marks (the server restarted empty, FLUSHALL,
 * evicted for lack of memory) begin at the present time, where none has been, so that nothing invalidated becomes valid
 * again. That it was lost is known from the state key, or from whoever has seen another birth than the present one.
 *
 * `generation` is the birth of the namespace, 8 bytes, and 8 that each clear replaces. `state` repeats what every read
 * needs. Counts are written without exponent: Lua's own way loses digits beyond 10^14.
 */
const BEGIN = `
local marks, state, sweeps = KEYS[1], KEYS[2], KEYS[3]
local newGeneration, newSeq, wall, knownBirth = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local function text(number) return string.format('%.0f', number) end
local epoch = redis.call('HGET', marks, 'epoch')
if not epoch then
  epoch = (knownBirth ~= '' or redis.call('EXISTS', state) == 1) and wall or '0'
  redis.call('DEL', marks, sweeps)
  redis.call('HSET', marks, 'generation', newGeneration, 'epoch', epoch, 'sweep', epoch, 'seq', newSeq, 'first', newSeq)
elseif epoch == '0' and knownBirth ~= '' and string.sub(redis.call('HGET', marks, 'generation'), 1, 8) ~= knownBirth then
  redis.call('HSET', marks, 'epoch', wall, 'sweep', wall)
  redis.call('DEL', sweeps)
end
local function finish()
  local kept = redis.call('HMGET', marks, 'generation', 'sweep')
  redis.call('SET', state, kept[1] .. kept[2])
  return kept[1]
end
local function tell(change)
  local seq = text(redis.call('HINCRBY', marks, 'seq', 1))
  redis.pcall('PUBLISH', ARGV[5], seq .. ' ' .. change)
end
`;

/** Arguments after those of `BEGIN`: none. Gives the generation. */
export const BEGIN_ONLY = `${BEGIN} return finish()`;

/** Channel, change, last 8 bytes of the next generation. Gives the generation. */
export const CLEAR = `${BEGIN}
redis.call('HSET', marks, 'generation', string.sub(redis.call('HGET', marks, 'generation'), 1, 8) .. ARGV[7])
tell(ARGV[6])
return finish()`;

/**
 * Channel, change, tags, none twice. Beyond the bound all tags are forgotten and every generation goes up at once,
 * past the highest that any tag can have had.
 */
export const INVALIDATE = `${BEGIN}
for index = 7, #ARGV do redis.call('HINCRBY', marks, 't:' .. ARGV[index], 1) end
tell(ARGV[6])
if redis.call('HLEN', marks) > ${TAGS_MAX} then
  local kept = redis.call('HMGET', marks, 'generation', 'epoch', 'sweep', 'seq', 'first')
  local past = text(tonumber(kept[2]) + tonumber(kept[4]) - tonumber(kept[5]) + 1)
  redis.call('UNLINK', marks)
  redis.call('HSET', marks, 'generation', kept[1], 'epoch', past, 'sweep', kept[3], 'seq', kept[4], 'first', kept[4])
end
return finish()`;

/** Channel, change, pattern. */
export const SWEEP = `${BEGIN}
redis.call('LPUSH', sweeps, text(redis.call('HINCRBY', marks, 'sweep', 1)) .. ' ' .. ARGV[7])
redis.call('LTRIM', sweeps, 0, ${SWEEPS_MAX - 1})
tell(ARGV[6])
return finish()`;

/** A count. Gives the present one and the sweeps since, newest first. */
export const SWEEPS_SINCE = `${BEGIN}
finish()
local sweep = redis.call('HGET', marks, 'sweep')
local behind = tonumber(sweep) - tonumber(ARGV[5])
if behind <= 0 then return {sweep} end
return {sweep, unpack(redis.call('LRANGE', sweeps, 0, math.min(behind, ${SWEEPS_MAX}) - 1))}`;

/** One key; holder, milliseconds. */
export const ACQUIRE = `
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1`;

/** One key; holder. */
export const RELEASE = `if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end`;
