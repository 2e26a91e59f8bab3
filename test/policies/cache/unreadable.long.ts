import { unreadableValues } from "./support/unreadable.ts";

unreadableValues(10_000);
