const SPECIAL = /[%/*]/g;

/** `text` as one segment of a label: `%`, `/` and `*` percent-encoded, everything else as it is. Injective. */
export function labelSegment(text: string): string {
  return text.replace(SPECIAL, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}
