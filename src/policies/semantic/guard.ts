/** Decides from the words alone whether two questions may have the same answer. Cheap, and it must not throw. */
export interface Guard {
  /** Shown in events and statistics. */
  readonly name: string;
  /** False: they ask for different things, however similar they are. The order of the two does not matter. */
  admits(question: string, cachedQuestion: string): boolean;
}
