import { rmSync } from "node:fs";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * Files that must not outlive the process half written. It listens to the process only while there are some; a signal
 * that nobody else handles then ends the process as it would have without us.
 */
export class UnfinishedFiles {
  readonly #paths = new Set<string>();

  add(path: string): void {
    if (this.#paths.size === 0) this.#listen();
    this.#paths.add(path);
  }

  delete(path: string): void {
    this.#paths.delete(path);
    if (this.#paths.size === 0) this.#stopListening();
  }

  #listen(): void {
    process.on("exit", this.#remove);
    for (const signal of SIGNALS) process.on(signal, this.#interrupted);
  }

  #stopListening(): void {
    process.off("exit", this.#remove);
    for (const signal of SIGNALS) process.off(signal, this.#interrupted);
  }

  readonly #remove = (): void => {
    for (const path of this.#paths) rmSync(path, { force: true });
  };

  readonly #interrupted = (signal: NodeJS.Signals): void => {
    // Whoever else listens decides what the signal means; the work may then go on.
    if (process.listenerCount(signal) > 1) return;
    this.#remove();
    this.#stopListening();
    process.kill(process.pid, signal);
  };
}
