import type { ConditionReading, ConditionSource } from "../../src/conditions/index.ts";

/** A process whose condition is what the test says. */
export class ScriptedConditions implements ConditionSource {
  closed = false;
  #memory = 0;
  #loopDelay = 0;

  set(condition: { readonly memory?: number; readonly loopDelay?: number }): void {
    this.#memory = condition.memory ?? this.#memory;
    this.#loopDelay = condition.loopDelay ?? this.#loopDelay;
  }

  read(): ConditionReading {
    return {
      cpuMicros: 0,
      cpus: 1,
      memoryBytes: this.#memory,
      memoryLimitBytes: 1,
      heapBytes: 0,
      heapLimitBytes: 1,
      loopDelayMs: this.#loopDelay,
      loopActiveMs: 0,
      loopIdleMs: 0,
    };
  }

  close(): void {
    this.closed = true;
  }
}
