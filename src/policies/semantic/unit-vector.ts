const DIMENSIONS_MAX = 16_384;

/** The direction of `vector`; `undefined` for one that has none or is no vector of 1 to 16,384 finite numbers. */
export function unitVector(vector: unknown): Float32Array | undefined {
  if (!isVector(vector)) return undefined;
  let squares = 0;
  for (let at = 0; at < vector.length; at++) squares += (vector[at] as number) ** 2;
  const length = Math.sqrt(squares);
  if (!Number.isFinite(length) || length === 0) return undefined;
  const unit = new Float32Array(vector.length);
  for (let at = 0; at < vector.length; at++) unit[at] = (vector[at] as number) / length;
  return unit;
}

/** The cosine of two unit vectors, -1 to 1; -1 when they are not of the same space. */
export function cosine(left: Float32Array, right: Float32Array): number {
  return left.length === right.length ? Math.max(-1, Math.min(1, dot(left, right))) : -1;
}

/** The dot product of two vectors of the same length. Four sums at once: additions wait for one another. */
export function dot(left: Float32Array, right: Float32Array): number {
  const { length } = left;
  const even = length - (length % 4);
  // One by one: taking them from an array costs more than all the rest.
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  let at = 0;
  for (; at < even; at += 4) {
    a += (left[at] as number) * (right[at] as number);
    b += (left[at + 1] as number) * (right[at + 1] as number);
    c += (left[at + 2] as number) * (right[at + 2] as number);
    d += (left[at + 3] as number) * (right[at + 3] as number);
  }
  for (; at < length; at++) a += (left[at] as number) * (right[at] as number);
  return a + b + c + d;
}

function isVector(value: unknown): value is ArrayLike<number> {
  if (!Array.isArray(value) && !(value instanceof Float32Array) && !(value instanceof Float64Array)) return false;
  return value.length > 0 && value.length <= DIMENSIONS_MAX && value.every((number) => Number.isFinite(number));
}
