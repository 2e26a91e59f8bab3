export { EventPacker } from "./pack.ts";
export { eventsOf, type PackedEvents, type Stretch, unpackEvents } from "./unpack.ts";
