/** Shipped with `breakwater/prometheus`, whose metrics it shows. */
export { dashboardQueries, grafanaDashboard } from "./dashboard.ts";
