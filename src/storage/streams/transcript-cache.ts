/**
 * Full pages of transcripts, as they were put together. What a full page says never changes: records are not altered,
 * those after it are on other pages, and one whose beginning was trimmed is asked for no more. So a reader needs of the
 * database only where the stream begins and ends now, and the last page.
 */
import { transcriptCacheBytesMax } from '../../domain/limits.ts';
import type { StreamPlace } from '../../domain/stream.ts';

export interface FullPage {
  readonly last: number;
  readonly json: Buffer;
}

export interface TranscriptCache {
  /** @param from the first seq that was asked for */
  find(place: StreamPlace, from: number): FullPage | null;
  keep(place: StreamPlace, from: number, page: FullPage): void;
}

/** Of an entry, beside its text. */
const entryBytes = 256;

/** Those that were read last, up to a bound in bytes. */
export function openTranscriptCache(bytesMax = transcriptCacheBytesMax): TranscriptCache {
  const pages = new Map<string, FullPage>();
  let bytes = 0;
  const keyOf = ({ sessionId, stream }: StreamPlace, from: number): string => `${sessionId}/${stream}/${from}`;
  function drop(key: string): void {
    const page = pages.get(key);
    if (page === undefined) return;
    pages.delete(key);
    bytes -= page.json.byteLength + entryBytes;
  }
  function put(key: string, page: FullPage): void {
    drop(key);
    pages.set(key, page);
    bytes += page.json.byteLength + entryBytes;
    for (const oldest of pages.keys()) {
      if (bytes <= bytesMax) break;
      drop(oldest);
    }
  }
  return {
    find(place, from) {
      const key = keyOf(place, from);
      const page = pages.get(key) ?? null;
      if (page !== null) put(key, page);
      return page;
    },
    keep: (place, from, page) => put(keyOf(place, from), page),
  };
}
