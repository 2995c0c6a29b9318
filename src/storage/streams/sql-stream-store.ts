/** The streams of all sessions over one database. */
import type { StreamStore } from '../../sessions/ports.ts';
import type { Database } from '../database.ts';
import { appendBatch } from './append-batch.ts';
import { openKnownStreams } from './known-streams.ts';
import { readNextSeqs, readStream } from './read.ts';
import { readTranscript } from './read-transcript.ts';
import { openTranscriptCache } from './transcript-cache.ts';

export function sqlStreamStore(db: Database): StreamStore {
  const known = openKnownStreams();
  const cache = openTranscriptCache();
  return {
    append: (appends, wait) => appendBatch({ db, known }, appends, wait),
    read: (place, from) => readStream(db, place, from),
    readTranscript: (place, range) => readTranscript({ sql: db, cache }, place, range),
    nextSeqs: (places) => readNextSeqs(db, places),
  };
}
