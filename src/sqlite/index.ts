export * from "./damage.ts";
export * from "./driver.ts";
export * from "./folder.ts";
export * from "./thread.ts";
