/** One file of the page, ready to be sent. */
export interface PageFile {
  /** `index.html`, or a name that changes with the content. */
  readonly name: string;
  readonly type: string;
  readonly text: string;
}

const BUNDLER = new URL("../../scripts/bundle-dashboard.ts", import.meta.url).href;

let bundled: Promise<readonly PageFile[]> | undefined;

/**
 * The files of the page. This module stands in while Breakwater runs from its source, and bundles them when they are
 * first asked for; the build puts one in its place that holds them.
 */
export function pageFiles(): Promise<readonly PageFile[]> {
  bundled ??= bundle();
  return bundled;
}

async function bundle(): Promise<readonly PageFile[]> {
  const { bundleDashboard } = (await import(BUNDLER)) as { bundleDashboard(): Promise<readonly PageFile[]> };
  return bundleDashboard();
}
