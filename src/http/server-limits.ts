/** Bounds of the transport, each with its unit and its reason; those of the product are in `domain/limits`. */

export const serverLimits = {
  /** Told in the API's own words instead. */
  requireHostHeader: false,
  /** A client that trickles its headers holds a socket no longer than this. */
  headersTimeout: 10_000,
  /** Milliseconds for a whole request to arrive; above `bodyReadDeadlineMs`, which answers in the API's own words. */
  requestTimeout: 30_000,
  /** Node looks for overdue connections this often. */
  connectionsCheckingInterval: 1_000,
  /** Above the 60 s after which common load balancers drop an idle connection, so that they close first. */
  keepAliveTimeout: 65_000,
  /** Bytes; the longest token, an encoded external id and ordinary headers fit. */
  maxHeaderSize: 16_384,
} as const;

/**
 * Milliseconds for which a closing server still takes a next request on an idle connection: a busy client may have sent
 * it before it could see the end, and would have to guess whether it was heard.
 */
export const idleLingerMs = 500;

/** A client's connections move on now and then, so that load spreads over processes that came later. */
export const requestsPerSocketMax = 10_000;

/** From the first read of a body to its last byte. */
export const bodyReadDeadlineMs = 10_000;

/** After an answer that came before the body's end, this much of the rest is still taken off the wire. */
export const unreadBytesMax = 1_048_576;
export const unreadDeadlineMs = 1_000;

/** A part that has not answered by then counts as down. */
export const probeDeadlineMs = 2_500;

/** Problems told in one answer: a small body can hold thousands. */
export const problemsMax = 25;

/** Writers gather records for this long before they send them. */
export const writerLingerMs = 50;
