/** What a round trip tells the server of one limit. */
export interface Statement {
  /** Units wanted now. */
  readonly ask: number;
  /** What the first who waits needs; less is of no use. */
  readonly need: number;
  /** Used beyond what was granted; negative: given back. */
  readonly change: number;
  /** Used while the server was away, and over how long. */
  readonly debt: number;
  readonly debtMs: number;
  /** `Granted.flown` when the server was lost, at most: what has flown since then covers the debt. */
  readonly flown: number;
  /** What a server that has lost the key does not know: held, and of a long window used, beside `change` and `debt`. */
  readonly held: number;
}

export interface Granted {
  readonly amount: number;
  /** When the first unit may be used, from now; negative: could have been. */
  readonly fromMs: number;
  /** 0: all at once. */
  readonly perMs: number;
  /** What has flown off unused, and has covered no debt, since the key was made. */
  readonly flown: number;
}

export interface DrawRequest {
  /** The life of the key that this process knows; `""`: none. */
  readonly birth: string;
  readonly limits: string;
  /** These limits are news. */
  readonly told: boolean;
  readonly units: Readonly<Record<string, Statement>>;
}

export interface DrawReply {
  readonly birth: string;
  readonly limits: string;
  /** Until there will be enough of a long window; 0 when all that was asked for was granted. */
  readonly waitMs: number;
  readonly grants: Readonly<Record<string, Granted>>;
}
