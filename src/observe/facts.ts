/** What happened, as typed facts. Code that acts emits them; `log-facts` decides what becomes a log line. */

export type Fact =
  | RequestAnswered
  /** Our bug, or a dependency that broke in a way nobody expected. */
  | {
      readonly kind: 'request_failed';
      readonly requestId: string;
      readonly route: string | null;
      readonly error: unknown;
    }
  /** Answered 503; the cause is told here and nowhere on the wire. */
  | {
      readonly kind: 'part_unavailable';
      readonly requestId: string;
      readonly route: string | null;
      readonly error: unknown;
    }
  /** The connection broke under an answer. */
  | { readonly kind: 'answer_undelivered'; readonly error: unknown }
  /** Keys in memory stay valid; said once per outage. */
  | { readonly kind: 'keys_not_reloaded'; readonly error: unknown }
  /** A stored key that ENCRYPTION_KEY of this process does not open: it is left out. */
  | { readonly kind: 'key_unreadable'; readonly keyId: string };

export interface RequestAnswered {
  readonly kind: 'request_answered';
  readonly requestId: string;
  readonly method: string;
  /** The route's pattern, never the URL: a query may hold secrets, a path holds customers' ids. */
  readonly route: string | null;
  readonly status: number;
  readonly durationMs: number;
  readonly environment: string | undefined;
  readonly sessionId: string | undefined;
  readonly runId: string | undefined;
  /** The client left before it had its answer. */
  readonly aborted: boolean;
}

export type Observe = (fact: Fact) => void;
