export { barChart } from "./bar-chart.ts";
export { lineChart } from "./line-chart.ts";
export { png } from "./png.ts";
export { shortNumber } from "./scale.ts";
