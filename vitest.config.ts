import { defineConfig } from "vitest/config";

// Tests that take longer than a minute end in `.long.ts` and run with `npm run test:long`.
const long = process.env["BREAKWATER_LONG_TESTS"] === "1";

export default defineConfig({
  test: {
    include: [long ? "test/**/*.long.ts" : "test/**/*.test.ts"],
    testTimeout: long ? 600_000 : 30_000,
    hookTimeout: 30_000,
    restoreMocks: true,
  },
});
