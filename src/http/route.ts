export interface Asked {
  readonly request: Request;
  readonly url: URL;
}

/** What answers a path. A route for GET answers HEAD as well; one for POST changes state, and wants the token. */
export interface Route {
  readonly method: "GET" | "POST";
  /** Answered whoever asks, under whatever name. */
  readonly open?: true;
  /** Wants the token although it changes nothing. */
  readonly guarded?: true;
  answer(asked: Asked): Response | Promise<Response>;
}
