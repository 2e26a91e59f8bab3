import { MissingPeerError } from "../core/index.ts";

interface Resvg {
  readonly Resvg: new (svg: string, options: object) => { render(): { asPng(): Uint8Array } };
}

/**
 * Draws an SVG picture as a PNG, in its light colours; `scale` pixels for each of the picture's, default 2. Needs the
 * package `@resvg/resvg-js` and throws {@link MissingPeerError} without it.
 */
export async function png(svg: string, { scale = 2 }: { readonly scale?: number } = {}): Promise<Uint8Array> {
  const { Resvg } = await resvg();
  const options = { fitTo: { mode: "zoom", value: scale }, font: { loadSystemFonts: true } };
  return new Resvg(svg, options).render().asPng();
}

async function resvg(): Promise<Resvg> {
  // In a variable, so that the package is not needed to compile.
  const peer: string = "@resvg/resvg-js";
  try {
    return (await import(peer)) as Resvg;
  } catch (error) {
    throw new MissingPeerError(peer, "Drawing a chart as PNG", error);
  }
}
