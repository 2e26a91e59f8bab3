interface Colors {
  readonly back: string;
  readonly text: string;
  readonly faint: string;
  readonly grid: string;
  readonly series: readonly string[];
}

// Okabe and Ito's colours, which the colour-blind tell apart, darkened or lightened for their ground.
const LIGHT: Colors = {
  back: "#ffffff",
  text: "#1f2328",
  faint: "#59636e",
  grid: "#e3e6ea",
  series: ["#0072b2", "#d55e00", "#009e73", "#b8488c", "#c98a00", "#3aa0dd", "#7a5fb5", "#6b7280"],
};

const DARK: Colors = {
  back: "#0d1117",
  text: "#e6edf3",
  faint: "#9198a1",
  grid: "#2b3139",
  series: ["#4ba6e8", "#ff8a3d", "#2fc99a", "#e58bc0", "#f0b93a", "#8fd0ff", "#b29cf0", "#a1a9b5"],
};

export const COLORS = LIGHT.series.length;

// From the second round on colours repeat, and dashes tell them apart.
export const DASHES = [undefined, "6 3", "2 3", "8 3 2 3"] as const;

/** The style of every chart: light, and dark where the reader prefers it. */
export const STYLE = `<style>text{font-family:system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",Arial,sans-serif}\
${rules(LIGHT)}@media (prefers-color-scheme:dark){${rules(DARK)}}</style>`;

function rules({ back, text, faint, grid, series }: Colors): string {
  const rows = [
    `.bw-back{fill:${back}}`,
    `.bw-title,.bw-name{fill:${text}}`,
    `.bw-label,.bw-tick{fill:${faint}}`,
    `.bw-grid{stroke:${grid}}`,
    `.bw-axis{stroke:${faint}}`,
    `.bw-dot{stroke:${back}}`,
    ...series.map((color, index) => `.bw-line${index}{stroke:${color};fill:none}.bw-fill${index}{fill:${color}}`),
  ];
  return rows.join("");
}
