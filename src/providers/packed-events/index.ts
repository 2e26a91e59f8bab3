export { EventPacker } from "./pack.ts";
export { eventsOf, type Stretch, unpackEvents } from "./unpack.ts";
