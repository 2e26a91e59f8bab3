const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const VALUES: ReadonlyMap<string, number> = new Map([...DIGITS].map((digit, value) => [digit, value]));

/** Lengths as text: a character each below 64, and `(1c)` in base 36 from there on. */
export function packLengths(tokens: readonly string[]): string {
  let text = "";
  for (const { length } of tokens) text += DIGITS[length] ?? `(${length.toString(36)})`;
  return text;
}

/** Where each of `count` texts begins, and after the last one where it ends. Throws for anything else. */
export function unpackLengths(text: string, count: number, from: number): Uint32Array {
  const starts = new Uint32Array(count + 1);
  starts[0] = from;
  let at = 0;
  let end = from;
  for (let index = 1; index <= count; index++) {
    let length = VALUES.get(text.charAt(at));
    if (length === undefined) {
      const close = text.indexOf(")", at);
      length = Number.parseInt(text.slice(at + 1, close), 36);
      if (text.charAt(at) !== "(" || !(length >= 0)) throw new SyntaxError("not a length");
      at = close;
    }
    at++;
    end += length;
    starts[index] = end;
  }
  return starts;
}
