/** A server of streams over HTTP, as the bench speaks to it: requests as they go over the wire, answers read back. */
import type { HttpAnswer } from '../http-connection.ts';

export interface StreamServer {
  readonly name: string;
  readonly url: URL;
  /** Processes that work for its calls: the server and, where it has one, its database. */
  readonly pids: () => readonly number[];
  /** Its own process. */
  readonly pid: number;
  /** A new, empty stream. */
  openStream(): Promise<ServedStream>;
}

export interface ServedStream {
  appendRequest(text: string): string;
  isStored(answer: HttpAnswer): boolean;
  /** Everything that is stored, at once. */
  readonly replayRequest: string;
  recordsOfReplay(body: string): readonly string[];
  /** The same without its first records, for servers that remember what they were asked for; others do not have it. */
  readonly replayWithout?: (firstRecords: number) => string;
  /** From the first record on, as server-sent events. */
  readonly tailRequest: string;
  /** Of one event; none when it brings no records. */
  recordsOfEvent(event: string): readonly string[];
}

export const requestText = (lines: readonly string[], body = ''): string =>
  `${[...lines, ...(body === '' ? [] : [`Content-Length: ${Buffer.byteLength(body)}`])].join('\r\n')}\r\n\r\n${body}`;
