const DIMENSIONS = 256;
const WORD_WEIGHT = 1;
const PAIR_WEIGHT = 0.7;
const TRIGRAM_WEIGHT = 0.35;

/**
 * A deterministic stand-in for an embedding model: words, pairs of words and trigrams of letters, hashed into 256
 * dimensions with signs. It knows nothing of meaning: paraphrases in other words are far apart, and the same words in
 * another sense near.
 */
function hashedVector(text: string): Float32Array {
  const vector = new Float32Array(DIMENSIONS);
  const words = text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
  for (const [at, word] of words.entries()) {
    // Short words are frequent ones and say little.
    add(vector, word, WORD_WEIGHT * Math.min(1, word.length / 5));
    const next = words[at + 1];
    if (next !== undefined) add(vector, `${word} ${next}`, PAIR_WEIGHT);
    const padded = `<${word}>`;
    for (let from = 0; from + 3 <= padded.length; from++)
      add(vector, `#${padded.slice(from, from + 3)}`, TRIGRAM_WEIGHT);
  }
  return vector;
}

/** As the semantic cache's option `embed` takes it. */
export async function hashedEmbed(texts: string[]): Promise<Float32Array[]> {
  return texts.map(hashedVector);
}

function add(vector: Float32Array, feature: string, weight: number): void {
  const hash = fnv(feature);
  const at = hash % DIMENSIONS;
  vector[at] = (vector[at] ?? 0) + (hash & 0x8000_0000 ? weight : -weight);
}

// FNV-1a, 32 bits, with a final mix so that the highest bit is as good as the lowest.
function fnv(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return (hash ^ (hash >>> 13)) >>> 0;
}
